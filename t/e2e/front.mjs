// The HTTPS server before the provider: what it is told to get wrong, it gets wrong.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { gzipSync } from 'node:zlib';

// What can be wrong with an answer: `next` is the server as it should be.
const ANSWERS = {
  // It comes, but not at once.
  late: (req, res, next) => setTimeout(next, 1500),

  // Nothing comes back, or it never ends.
  hang: () => {},
  'hang in headers': (req, res) => {
    res.socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Mo');
  },
  trickle: (req, res, next) => later(res, next, (body, type) => {
    res.writeHead(200, { 'Content-Type': type, 'Content-Length': body.length });
    let sent = 0;
    const timer = setInterval(() => {
      // One byte is always left.
      if (sent < body.length - 1) res.write(body.subarray(sent, (sent += 1)));
    }, 200);
    res.on('close', () => clearInterval(timer));
  }),
  'half an answer': (req, res, next) => later(res, next, (body, type) => {
    res.writeHead(200, { 'Content-Type': type, 'Content-Length': body.length });
    res.write(body.subarray(0, body.length / 2), () => res.socket.destroySoon());
  }),
  'half an answer in chunks': (req, res, next) => later(res, next, (body, type) => {
    res.writeHead(200, { 'Content-Type': type });
    res.write(body.subarray(0, body.length / 2), () => res.socket.destroySoon());
  }),

  // What comes back is not what was asked for.
  'bad request': (req, res) => send(res, 400, 'bad'),
  'not found': (req, res) => send(res, 404, 'not found'),
  'server error': (req, res) => send(res, 500, 'oops'),
  'too many requests': (req, res) => send(res, 429, 'later', { 'Retry-After': '1' }),
  unavailable: (req, res) => send(res, 503, 'later', { 'Retry-After': '1' }),
  // The good set, were it followed.
  redirect: (req, res, next) => {
    if (req.url.includes('?moved')) next();
    else send(res, 302, 'moved', { Location: `${req.url}?moved` });
  },
  'a page': (req, res) => send(res, 200, '<!doctype html><title>Log in</title>', { 'Content-Type': 'text/html' }),
  garbage: (req, res) => send(res, 200, randomBytes(4096), { 'Content-Type': 'application/json' }),
  'not HTTP': (req, res) => res.socket.end(randomBytes(4096)),
  // The good set, were it unpacked.
  gzip: (req, res, next) => later(res, next, (body, type) => {
    send(res, 200, gzipSync(body), { 'Content-Type': type, 'Content-Encoding': 'gzip' });
  }),
  // The good set, were it read to its end.
  '10 MB': (req, res, next) => later(res, next, (body, type) => {
    send(res, 200, Buffer.concat([body, Buffer.alloc(10_000_000, ' ')]), { 'Content-Type': type });
  }),
  '10 MB in chunks': (req, res, next) => later(res, next, (body, type) => {
    res.writeHead(200, { 'Content-Type': type });
    res.end(Buffer.concat([body, Buffer.alloc(10_000_000, ' ')]));
  }),
  'a header of 1 MB': (req, res) => {
    res.socket.end(`HTTP/1.1 200 OK\r\nX-Long: ${'a'.repeat(1_000_000)}\r\n\r\n{"keys":[]}`);
  },

  // A document that says something else.
  'an empty set': change(/jwks/, () => ({ keys: [] })),
  'a key twice': change(/jwks/, ({ keys }) => ({ keys: [...keys, ...keys] })),
  'no usable key': change(/jwks/, () => ({ keys: [{ kty: 'oct', k: 'c2VjcmV0' }] })),
  'no set': change(/jwks/, () => ['keys']),
  'another issuer': change(/well-known/, (document) => ({
    ...document, issuer: `${document.issuer}/`,
  })),
  'keys of another place': change(/well-known/, (document) => ({
    ...document, jwks_uri: 'http://keys.example/jwks',
  })),
};

// What can be wrong with the certificate that the server shows.
const CERTIFICATES = {
  'another CA': 'other-server',
  'another name': 'elsewhere',
  'an expired certificate': 'expired-server',
};

// What can be in the place of the server. Nothing listens where it is null.
const SERVERS = {
  stopped: null,
  silence: () => {},
  'no TLS': (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
};

export class Front {
  #directory;
  #fault = null;
  #next;
  #port = 0;
  #server;
  #sockets = new Set();
  requests = [];

  // `directory` has the certificates of t/bin/certificates.
  constructor(directory) {
    this.#directory = directory;
  }

  // Who answers when nothing is wrong.
  set next(next) {
    this.#next = next;
  }

  get port() {
    return this.#port;
  }

  async start() {
    await this.fault(null);
  }

  async stop() {
    if (!this.#server?.listening) return;
    const closed = new Promise((resolve) => { this.#server.close(resolve); });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  // Gets it wrong from now on, or no longer (null): on the same port, without the connections that
  // there were.
  async fault(name) {
    if (name !== null && ![ANSWERS, CERTIFICATES, SERVERS].some((faults) => Object.hasOwn(faults, name))) {
      throw new Error(`no such fault: ${name}`);
    }
    await this.stop();
    this.#fault = name;
    if (!Object.hasOwn(SERVERS, name)) await this.#listen(this.#https(CERTIFICATES[name] ?? 'server'));
    else if (SERVERS[name]) await this.#listen(net.createServer(SERVERS[name]));
  }

  #https(certificate) {
    const read = (name) => readFileSync(`${this.#directory}/${name}`);
    const server = https.createServer({
      cert: read(`${certificate}.pem`),
      key: read(`${certificate}.key`),
      ca: read('ca.pem'),
      requestCert: true,
      rejectUnauthorized: false,
    }, (req, res) => this.#answer(req, res));
    // Somebody who goes away in the middle of a handshake is no matter.
    return server.on('tlsClientError', () => {});
  }

  async #listen(server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = server.address().port;
  }

  // What the gateway asks for is counted and got wrong; whoever asks for tokens is left alone.
  #answer(req, res) {
    const next = () => this.#next(req, res);
    if (!/jwks|well-known|introspection/.test(req.url)) return next();
    const { method, url, headers } = req;
    this.requests.push({ time: Date.now() / 1000, method, url, headers, fault: this.#fault });
    return (ANSWERS[this.#fault] ?? ((_req, _res, answer) => answer()))(req, res, next);
  }
}

function send(res, status, body, headers = {}) {
  res.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(body), ...headers });
  res.end(body);
}

// Lets the provider answer, and hands the body on instead of sending it.
function later(res, next, then) {
  const { end } = res;
  res.end = (body) => {
    const type = res.getHeader('Content-Type');
    res.end = end;
    res.getHeaderNames().forEach((name) => res.removeHeader(name));
    then(Buffer.from(body), type);
  };
  next();
}

// A fault that sends something else in place of a document; others are as they should be.
function change(which, to) {
  return (req, res, next) => {
    if (!which.test(req.url)) next();
    else later(res, next, (body, type) => send(res, 200, JSON.stringify(to(JSON.parse(body))), { 'Content-Type': type }));
  };
}
