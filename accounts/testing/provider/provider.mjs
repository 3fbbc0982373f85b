// A certified OpenID Connect provider that speaks as Authentik does: `node provider.mjs CONFIG.json`.
// The configuration: {port, client_id, client_secret, site, keys, people}; `people` is the path of a file
// {subject: claims} that is read anew at every sign-in, so that a test changes groups by writing it.
import { readFileSync } from "node:fs";
import { Provider } from "oidc-provider";

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
const issuer = `http://127.0.0.1:${config.port}`;
const base = "/application/o";

const provider = new Provider(issuer, {
  jwks: config.keys,
  cookies: { keys: ["only for tests"] },
  clients: [
    {
      client_id: config.client_id,
      client_secret: config.client_secret,
      token_endpoint_auth_method: "client_secret_post",
      grant_types: ["authorization_code", "client_credentials"],
      redirect_uris: [`${config.site}/oidc/callback/`],
      post_logout_redirect_uris: [`${config.site}/`],
      backchannel_logout_uri: `${config.site}/oidc/backchannel-logout/`,
      backchannel_logout_session_required: true,
      id_token_signed_response_alg: "RS256",
    },
  ],
  claims: {
    openid: ["sub"],
    profile: ["name", "given_name", "preferred_username", "nickname", "groups"],
    email: ["email", "email_verified"],
  },
  conformIdTokenClaims: false, // Authentik puts all claims into the ID token too
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: true }, // its own pages: any password will do
    rpInitiatedLogout: { enabled: true },
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true }, // what programs without a person ask with; `people` has their claims too
    resourceIndicators: {
      enabled: true,
      defaultResource: (context) =>
        context.oidc.params.grant_type === "client_credentials" ? "urn:transcribe" : undefined,
      getResourceServerInfo: () => ({
        audience: config.client_id,
        scope: "openid profile email jobs:read jobs:write uploads:write",
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
  extraTokenClaims(_context, token) {
    const people = JSON.parse(readFileSync(config.people, "utf8"));
    return { azp: token.clientId, uid: token.clientId, ...people[token.clientId] };
  },
  routes: {
    authorization: `${base}/authorize/`,
    token: `${base}/token/`,
    userinfo: `${base}/userinfo/`,
    jwks: `${base}/transcribe/jwks/`,
    end_session: `${base}/transcribe/end-session/`,
  },
  // its own guard against requests into private networks: here everything is on loopback
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  async findAccount(_context, subject) {
    const people = JSON.parse(readFileSync(config.people, "utf8"));
    if (!(subject in people)) return undefined;
    return { accountId: subject, claims: async () => ({ sub: subject, ...people[subject] }) };
  },
  async loadExistingGrant(context) {
    // consent is implicit, as in Authentik's default flow
    const { client, session } = context.oidc;
    const grant = new context.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope("openid profile email");
    await grant.save();
    return grant;
  },
});

for (const event of ["server_error", "grant.error", "backchannel.error"]) {
  provider.on(event, (...told) => console.error(event, ...told.slice(1).map((each) => each?.cause ?? each?.message ?? "")));
}
provider.listen(config.port, "127.0.0.1", () => console.log("listening"));
