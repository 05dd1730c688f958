// Command hyper is every component of the test cluster in one binary, so that one link serves them all: the first
// argument names the component, the rest are its own flags.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// Components that build a cobra command of their own. The kubelet gets a plain context: it sets up its own signal
// handling, and panics if that was done before.
var commands = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kube-proxy":              proxy.NewProxyCommand,
	"kubectl":                 func() *cobra.Command { return kubectl.NewDefaultKubectlCommand() },
	"policies":                policiesCommand,
	"volumes":                 volumesCommand,
}

// Components that read os.Args and never return.
var mains = map[string]func(){
	"etcd": func() { etcdmain.Main(os.Args) },
	"kwok": kwokMain,
}

func usage() {
	names := []string{}
	for name := range commands {
		names = append(names, name)
	}
	for name := range mains {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Fprintf(os.Stderr, "usage: hyper %s [flags]\n", strings.Join(names, "|"))
	os.Exit(2)
}

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	os.Args = os.Args[1:]
	if main, ok := mains[os.Args[0]]; ok {
		main()
		return
	}
	command, ok := commands[os.Args[0]]
	if !ok {
		usage()
	}
	// kubectl's errors are already words for a person; the others go through the components' own logging.
	if os.Args[0] == "kubectl" {
		if err := cli.RunNoErrOutput(command()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(cli.Run(command()))
}
