package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

const (
	// provisioner is what a StorageClass names to have its volumes made here.
	provisioner     = "berth.dev/test-volumes"
	askedOf         = "volume.kubernetes.io/storage-provisioner"
	selectedNode    = "volume.kubernetes.io/selected-node"
	madeBy          = "pv.kubernetes.io/provisioned-by"
	mediumParameter = "medium"
)

// volumes makes a folder of the node into a volume for each claim that asks, as k3s' local-path provisioner does, and
// erases the folder once the claim is gone if the volume's policy is Delete by then. A class with `medium: memory` gets a
// file system of exactly the claimed size instead, so that it can be filled and reports how full it is.
type volumes struct {
	client kubernetes.Interface
	root   string
}

func (v *volumes) provision(ctx context.Context, claim *core.PersistentVolumeClaim) error {
	node := claim.Annotations[selectedNode]
	wanted := claim.Annotations[askedOf] == provisioner && node != "" && claim.Spec.VolumeName == ""
	if !wanted || claim.DeletionTimestamp != nil || claim.Spec.StorageClassName == nil {
		return nil
	}
	class, err := v.client.StorageV1().StorageClasses().Get(ctx, *claim.Spec.StorageClassName, meta.GetOptions{})
	if err != nil {
		return err
	}
	name := "pvc-" + string(claim.UID)
	folder := filepath.Join(v.root, fmt.Sprintf("%s_%s_%s", name, claim.Namespace, claim.Name))
	size := claim.Spec.Resources.Requests[core.ResourceStorage]
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	source := core.PersistentVolumeSource{HostPath: &core.HostPathVolumeSource{Path: folder}}
	if class.Parameters[mediumParameter] == "memory" {
		source = core.PersistentVolumeSource{Local: &core.LocalVolumeSource{Path: folder}}
		// Unmounted first, for a try before this one may have come so far.
		_ = syscall.Unmount(folder, syscall.MNT_DETACH)
		if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("mode=0777,size=%d", size.Value())); err != nil {
			return err
		}
	}
	// A process' umask takes bits away from the mode that a folder is made with.
	if err := os.Chmod(folder, 0o777); err != nil {
		return err
	}
	_, err = v.client.CoreV1().PersistentVolumes().Create(ctx, &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: name, Annotations: map[string]string{madeBy: provisioner}},
		Spec: core.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      core.ResourceList{core.ResourceStorage: size},
			ClaimRef:                      &core.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID},
			PersistentVolumeReclaimPolicy: *class.ReclaimPolicy,
			PersistentVolumeSource:        source,
			StorageClassName:              class.Name,
			VolumeMode:                    claim.Spec.VolumeMode,
			NodeAffinity: &core.VolumeNodeAffinity{Required: &core.NodeSelector{NodeSelectorTerms: []core.NodeSelectorTerm{{
				MatchExpressions: []core.NodeSelectorRequirement{{Key: core.LabelHostname, Operator: core.NodeSelectorOpIn, Values: []string{node}}},
			}}}},
		},
	}, meta.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (v *volumes) erase(ctx context.Context, volume *core.PersistentVolume) error {
	over := volume.Status.Phase == core.VolumeReleased && volume.Spec.PersistentVolumeReclaimPolicy == core.PersistentVolumeReclaimDelete
	if volume.Annotations[madeBy] != provisioner || !over {
		return nil
	}
	folder := ""
	if volume.Spec.HostPath != nil {
		folder = volume.Spec.HostPath.Path
	} else if volume.Spec.Local != nil {
		folder = volume.Spec.Local.Path
	}
	if filepath.Dir(folder) != filepath.Clean(v.root) {
		return errors.New("refuses to erase what is not below its folder: " + folder)
	}
	_ = syscall.Unmount(folder, syscall.MNT_DETACH)
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	err := v.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, meta.DeleteOptions{Preconditions: &meta.Preconditions{UID: &volume.UID}})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (v *volumes) run(ctx context.Context) {
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](50*time.Millisecond, 5*time.Second))
	factory := informers.NewSharedInformerFactory(v.client, 0)
	claims, held := factory.Core().V1().PersistentVolumeClaims(), factory.Core().V1().PersistentVolumes()
	enqueue := func(object any) {
		if name, err := cache.ObjectToName(object); err == nil {
			queue.Add(name)
		}
	}
	for _, informer := range []cache.SharedIndexInformer{claims.Informer(), held.Informer()} {
		_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: enqueue, UpdateFunc: func(_, now any) { enqueue(now) }})
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	context.AfterFunc(ctx, queue.ShutDown)
	for {
		key, stopped := queue.Get()
		if stopped {
			return
		}
		// What has a namespace is a claim, what has none is a volume.
		var err error
		if key.Namespace == "" {
			if volume, missing := held.Lister().Get(key.Name); missing == nil {
				err = v.erase(ctx, volume)
			}
		} else if claim, missing := claims.Lister().PersistentVolumeClaims(key.Namespace).Get(key.Name); missing == nil {
			err = v.provision(ctx, claim)
		}
		if err != nil {
			klog.ErrorS(err, "to be tried again", "object", key)
			queue.AddRateLimited(key)
		} else {
			queue.Forget(key)
		}
		queue.Done(key)
	}
}

func volumesCommand() *cobra.Command {
	var kubeconfig, root string
	run := func(*cobra.Command, []string) error {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
		defer stop()
		rest, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			return err
		}
		rest.QPS, rest.Burst = 500, 1000
		client, err := kubernetes.NewForConfig(rest)
		if err != nil {
			return err
		}
		(&volumes{client: client, root: root}).run(ctx)
		return nil
	}
	command := &cobra.Command{Use: "volumes", Short: "make volumes for claims, and erase them", RunE: run}
	command.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the apiserver")
	command.Flags().StringVar(&root, "root", "", "the folder that holds all volumes")
	return command
}
