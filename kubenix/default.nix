# Every Kubernetes object that ops apply, as a list of plain values. What is JSON here is read by the operator's tests too,
# which run the operator on a real API server under exactly these rights.
let
  json = file: builtins.fromJSON (builtins.readFile file);
in
import ./namespaces.nix ++ [ (json ./crds/agents.json) ] ++ (json ./rbac/operator.json).items
