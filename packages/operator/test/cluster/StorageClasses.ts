/** The classes that claims can name. Both are served by the test cluster's own provisioner (`hyper/volumes.go`). Pure. */

const provisioner = "berth.dev/test-volumes"

/**
 * `local-path` is the name of production's class: a folder of the node, kept until a volume's policy is Delete. `sized` is a
 * file system of exactly the claimed size, in memory, that can be filled and tells how full it is; only a real node has it.
 */
export const storageClass = (name: "local-path" | "sized") => ({
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: { name },
  provisioner,
  reclaimPolicy: "Retain",
  volumeBindingMode: "WaitForFirstConsumer",
  ...(name === "sized" ? { parameters: { medium: "memory" } } : {}),
})
