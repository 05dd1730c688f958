# The shell that `nix develop` opens: what the npm scripts need and nothing else. The scripts themselves are npm's.
{
  perSystem =
    { pkgs, ... }:
    {
      devShells.default = pkgs.mkShell {
        packages = [
          pkgs.nodejs_24
          pkgs.redis
          pkgs.toxiproxy
          pkgs.kubectl
        ];
      };
    };
}
