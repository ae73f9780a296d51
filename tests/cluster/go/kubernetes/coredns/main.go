// Command coredns is CoreDNS with the plugins that the local cluster's Corefile names and no others: CoreDNS's documented
// way to choose plugins. The full list compiles for minutes (cloud DNS libraries); this one takes seconds.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loop"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
)

func main() {
	dnsserver.Directives = []string{"reload", "errors", "health", "ready", "cache", "loop", "kubernetes"}
	coremain.Run()
}
