// The OpenID provider of the end-to-end tests: t/lib/Test/Mesh/Provider.pm starts it and talks to it.
//
// usage: node provider.mjs PACKAGES CERTIFICATES
//
// A line of JSON on standard input is a command, and a line on standard output its answer; the first
// one says on which port it listens. It ends with the input, or with who started it.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { X509Certificate, randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';

import { Front } from './front.mjs';

const [, , packages, certificates] = process.argv;
const { resolve } = createRequire(`${packages}/`);
const load = (name) => import(pathToFileURL(resolve(name)));
const { Provider, errors } = await load('oidc-provider');
const jose = await load('jose');

// All that it can sign with; the module must know or refuse each.
const ALGORITHMS = [
  'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519',
];

// Private keys by name; the name is the kid.
const keys = new Map();
// Public keys of clients that authenticate by one.
let clientKeys = [];

// RSA takes its time: all of these keys are one.
let rsa;
async function generate(kid, alg) {
  const pair = () => jose.generateKeyPair(alg, { extractable: true });
  const key = async () => jose.exportJWK((await pair()).privateKey);
  const jwk = /^[RP]S/.test(alg) ? await (rsa ??= key()) : await key();
  keys.set(kid, { ...jwk, kid, alg, use: 'sig' });
}

function publicKey(kid) {
  const { d, p, q, dp, dq, qi, ...rest } = keys.get(kid);
  return rest;
}

function bare({ kid, alg, use, ...jwk }) {
  return jwk;
}

// Somebody who goes away is no matter.
function complain(...about) {
  const error = about.find((it) => it instanceof Error);
  if (error?.code !== 'ECONNRESET') console.error(error);
}

// A provider at a port of its own.
class Site {
  front = new Front(certificates);

  async start(names) {
    await this.front.start();
    this.swap(names);
    return this.front.port;
  }

  // In place of the provider that there was, one that publishes these keys and signs with some.
  swap(published, signing = published) {
    this.published = published;
    this.signers = Object.fromEntries(signing.map((name) => [keys.get(name).alg, name]));
    const provider = new Provider(`https://localhost:${this.front.port}`, configuration(this));
    for (const event of ['server_error', 'error']) provider.on(event, complain);
    this.front.next = provider.callback();
  }
}

// What a token is for is said by its resource: https://mesh.example/jwt/ES256, and then other settings
// as a query: audience, ttl.
function resourceServer(resource, signers) {
  const { pathname, searchParams } = new URL(resource);
  const [, accessTokenFormat, alg] = pathname.split('/');
  if (accessTokenFormat !== 'opaque' && !(alg in signers)) throw new errors.InvalidTarget();
  return {
    scope: 'produce consume',
    audience: searchParams.get('audience') ?? 'mesh',
    accessTokenTTL: Number(searchParams.get('ttl') ?? 300),
    accessTokenFormat,
    ...(alg && { jwt: { sign: { alg, kid: signers[alg] } } }),
  };
}

function client(id, more) {
  return {
    client_id: id,
    client_secret: `secret-of-${id}-${'0'.repeat(32)}`,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: 'produce consume',
    ...more,
  };
}

function configuration({ published, signers }) {
  return {
    clients: [
      client('orders-api', { token_endpoint_auth_method: 'client_secret_basic' }),
      client('etl', { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: clientKeys } }),
      client('payments', {
        token_endpoint_auth_method: 'tls_client_auth',
        tls_client_auth_san_uri: 'spiffe://prod.example/ns/shop/sa/orders-api',
        tls_client_certificate_bound_access_tokens: true,
      }),
      client('gateway', { token_endpoint_auth_method: 'client_secret_basic' }),
      client('gateway-jwt', {
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: clientKeys },
      }),
    ],
    scopes: ['produce', 'consume'],
    jwks: { keys: published.map((name) => keys.get(name)) },
    clientAuthMethods: ['client_secret_basic', 'private_key_jwt', 'tls_client_auth'],
    enabledJWA: {
      clientAuthSigningAlgValues: ALGORITHMS,
      idTokenSigningAlgValues: ALGORITHMS,
      introspectionSigningAlgValues: ALGORITHMS,
      dPoPSigningAlgValues: ALGORITHMS,
    },
    clientDefaults: {
      id_token_signed_response_alg: Object.keys(signers)[0],
      introspection_signed_response_alg: Object.keys(signers)[0],
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      jwtIntrospection: { enabled: true },
      revocation: { enabled: true, allowedPolicy: () => true },
      dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 1), requireNonce: () => false },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        tlsClientAuth: true,
        getCertificate: ({ socket }) => {
          const { raw } = socket.getPeerCertificate();
          return raw && new X509Certificate(raw);
        },
        certificateAuthorized: ({ socket }) => socket.authorized,
        certificateSubjectMatches: ({ socket }, _property, expected) => (
          socket.getPeerX509Certificate().subjectAltName === `URI:${expected}`
        ),
      },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, resource) => resourceServer(resource, signers),
      },
    },
    ttl: { ClientCredentials: (_ctx, token) => token.resourceServer.accessTokenTTL },
  };
}

const sites = new Map();

async function open(names) {
  const site = new Site();
  const port = await site.start(names);
  sites.set(port, site);
  return port;
}

// By name; each gets the site that it is for, and its options.
const commands = {
  // Keys that are there from now on, by name: their algorithms.
  generate: async (_site, wanted) => {
    for (const [kid, alg] of Object.entries(wanted)) await generate(kid, alg);
  },
  // Another site, which publishes these keys.
  open: (_site, { publish }) => open(publish),
  // Publishes these, and signs with some of them.
  keys: (site, { publish, sign }) => site.swap(publish, sign),
  jwks: (site) => ({ keys: site.published.map(publicKey) }),
  // Signs anything by any key, with its public half in the header if it is `to_be_shown`.
  sign: async (_site, { key, header, claims, to_be_shown: isShown }) => {
    const { alg } = keys.get(key);
    return new jose.SignJWT(claims)
      .setProtectedHeader({ alg, ...(isShown && { jwk: bare(publicKey(key)) }), ...header })
      .sign(await jose.importJWK(keys.get(key), alg));
  },
  thumbprint: (_site, { key }) => jose.calculateJwkThumbprint(publicKey(key)),
  // What clients with keys of their own have.
  clients: (site, { jwks }) => {
    clientKeys = jwks.keys;
    site.swap(site.published, Object.values(site.signers));
  },
  fault: async (site, { name, publish }) => {
    await site.front.fault(name);
    if (publish) site.swap(publish);
  },
  // What was asked for since the last time.
  requests: (site) => site.front.requests.splice(0),
  uuid: () => randomUUID(),
};

const names = ALGORITHMS.map((alg) => alg.toLowerCase());
for (const [place, alg] of ALGORITHMS.entries()) await generate(names[place], alg);
console.log(JSON.stringify({ port: await open(names), algorithms: ALGORITHMS }));

// The input may be held open by processes that outlive the one that started this.
const parent = process.ppid;
setInterval(() => process.ppid === parent || process.exit(1), 1000).unref();

for await (const line of createInterface({ input: process.stdin })) {
  const [port, name, options] = JSON.parse(line);
  try {
    const value = await commands[name](sites.get(port), options);
    console.log(JSON.stringify({ value: value ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.stack }));
  }
}
for (const { front } of sites.values()) await front.stop();
