package main

import (
	"context"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"github.com/cloudnativelabs/kube-router/v2/pkg/utils"
	"github.com/coreos/go-iptables/iptables"
	"github.com/spf13/cobra"
	core "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// policiesCommand enforces NetworkPolicies on this node by kube-router's policy controller and nothing else of
// kube-router, as k3s does. It writes iptables rules and ipsets of the network namespace that it runs in, and needs
// net.bridge.bridge-nf-call-iptables there.
func policiesCommand() *cobra.Command {
	var kubeconfig, node, services string
	run := func(*cobra.Command, []string) error {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
		defer stop()
		rest, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			return err
		}
		client, err := kubernetes.NewForConfig(rest)
		if err != nil {
			return err
		}
		tables, err := iptables.NewWithProtocol(iptables.ProtocolIPv4)
		if err != nil {
			return err
		}
		sets, err := utils.NewIPSet(false)
		if err != nil {
			return err
		}

		factory := informers.NewSharedInformerFactory(client, 0)
		pods := factory.Core().V1().Pods().Informer()
		namespaces := factory.Core().V1().Namespaces().Informer()
		policies := factory.Networking().V1().NetworkPolicies().Informer()
		factory.Start(ctx.Done())
		factory.WaitForCacheSync(ctx.Done())

		settings := options.NewKubeRouterConfig()
		settings.ClusterIPCIDRs = []string{services}
		settings.HostnameOverride = node
		settings.EnableIPv4 = true
		settings.RunFirewall = true
		settings.IPTablesSyncPeriod = 30 * time.Second
		var restoring sync.Mutex
		controller, err := netpol.NewNetworkPolicyController(client, settings, pods, policies, namespaces, &restoring,
			map[core.IPFamily]utils.IPTablesHandler{core.IPv4Protocol: tables},
			map[core.IPFamily]utils.IPSetHandler{core.IPv4Protocol: sets})
		if err != nil {
			return err
		}
		if _, err = pods.AddEventHandler(controller.PodEventHandler); err != nil {
			return err
		}
		if _, err = namespaces.AddEventHandler(controller.NamespaceEventHandler); err != nil {
			return err
		}
		if _, err = policies.AddEventHandler(controller.NetworkPolicyEventHandler); err != nil {
			return err
		}

		// The controller tells its health on a channel that somebody must read.
		heartbeats := make(chan *healthcheck.ControllerHeartbeat, 10)
		go func() {
			for range heartbeats {
			}
		}()
		var running sync.WaitGroup
		running.Add(1)
		controller.Run(heartbeats, ctx.Done(), &running)
		return nil
	}
	command := &cobra.Command{Use: "policies", Short: "enforce NetworkPolicies on one node", RunE: run}
	command.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the apiserver")
	command.Flags().StringVar(&node, "node", "", "the name of this node")
	command.Flags().StringVar(&services, "service-cidr", "", "addresses of Services")
	return command
}
