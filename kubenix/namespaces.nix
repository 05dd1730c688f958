# The two namespaces that Berth owns besides its customers': `platform` for the services, and `berth-agents`, which holds
# the operator's copies of opened secrets and nothing else. Both refuse pods that are not restricted.
let
  namespace = name: {
    apiVersion = "v1";
    kind = "Namespace";
    metadata = {
      inherit name;
      labels = {
        "app.kubernetes.io/part-of" = "berth";
        "pod-security.kubernetes.io/enforce" = "restricted";
        "pod-security.kubernetes.io/audit" = "restricted";
        "pod-security.kubernetes.io/warn" = "restricted";
      };
    };
  };
in
map namespace [
  "platform"
  "berth-agents"
]
