"""How much the operator costs at scale: many ModelDeployments at once on a real etcd and kube-apiserver."""
