/** A kubeconfig as one JSON document with everything inline; JSON is YAML. Pure. */
export type Credentials = { readonly certificate: string; readonly key: string } | { readonly token: string }

const base64 = (text: string) => Buffer.from(text).toString("base64")

/** `certificate`, `key` and `ca` are PEM. */
export const kubeconfig = (server: string, ca: string, user: string, credentials: Credentials): string =>
  JSON.stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "test", cluster: { server, "certificate-authority-data": base64(ca) } }],
      users: [
        {
          name: user,
          user:
            "token" in credentials
              ? { token: credentials.token }
              : {
                  "client-certificate-data": base64(credentials.certificate),
                  "client-key-data": base64(credentials.key),
                },
        },
      ],
      contexts: [{ name: "test", context: { cluster: "test", user } }],
      "current-context": "test",
    },
    undefined,
    1,
  )
