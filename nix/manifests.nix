# `nix build .#k8s-manifests`: one JSON file per object, for `kubectl apply -f result/`. The objects themselves are data
# in ../kubenix, also exposed unbuilt as `legacyPackages.<system>.k8s-objects`.
{
  perSystem =
    { pkgs, ... }:
    let
      objects = import ../kubenix;
      fileOf = object: "${object.kind}-${object.metadata.name}.json";
    in
    {
      legacyPackages.k8s-objects = objects;
      packages.k8s-manifests = pkgs.linkFarm "k8s-manifests" (
        map (object: {
          name = fileOf object;
          path = pkgs.writeText (fileOf object) (builtins.toJSON object);
        }) objects
      );
    };
}
