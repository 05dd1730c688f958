# Every Kubernetes object that ops apply, as a list of plain values.
import ./namespaces.nix
