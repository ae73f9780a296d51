// Command kindconfig reads a kind configuration from standard input and decodes it strictly against kind's own types:
// an unknown field or a wrong type is an error, exactly as kind itself would refuse it.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
)

func main() {
	decoder := yaml.NewDecoder(os.Stdin)
	decoder.KnownFields(true)
	var cluster v1alpha4.Cluster
	if err := decoder.Decode(&cluster); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	v1alpha4.SetDefaultsCluster(&cluster)
	if err := json.NewEncoder(os.Stdout).Encode(cluster); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
