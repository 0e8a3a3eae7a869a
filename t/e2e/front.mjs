// The HTTPS server before the provider: what it is told to get wrong, it gets wrong.

import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { gzipSync } from 'node:zlib';

// What can be wrong with an answer; `next` lets the provider answer.
const ANSWERS = {
  // It comes, but not at once.
  'slow answer': (req, res, next) => setTimeout(next, 1500),

  // It never comes, or never ends.
  'no answer': () => {},
  'part of a head': (req, res) => {
    res.socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Mo');
  },
  trickle: (req, res, next) => later(res, next, (body, type) => {
    res.writeHead(200, { 'Content-Type': type, 'Content-Length': body.length });
    let sent = 0;
    // One byte is always left.
    const timer = setInterval(() => {
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

  // It is not what was asked for.
  'status 404': (req, res) => send(res, 404, 'not found'),
  'status 429': (req, res) => send(res, 429, 'later', { 'Retry-After': '1' }),
  'status 500': (req, res) => send(res, 500, 'oops'),
  // The good documents, were it followed.
  redirect: (req, res, next) => {
    if (req.url.includes('?moved')) next();
    else send(res, 302, 'moved', { Location: `${req.url}?moved` });
  },
  'a page': (req, res) => send(res, 200, '<!doctype html><title>Log in</title>', { 'Content-Type': 'text/html' }),
  garbage: (req, res) => send(res, 200, Buffer.concat([Buffer.of(0xff), randomBytes(4096)]), { 'Content-Type': 'application/json' }),
  'no HTTP': (req, res) => res.socket.end(randomBytes(4096)),
  'a head of 1 MB': (req, res) => {
    res.socket.end(`HTTP/1.1 200 OK\r\nX-Long: ${'a'.repeat(1_000_000)}\r\n\r\n{"keys":[]}`);
  },
  // The good documents, were they unpacked or read to their end.
  gzip: (req, res, next) => later(res, next, (body, type) => {
    send(res, 200, gzipSync(body), { 'Content-Type': type, 'Content-Encoding': 'gzip' });
  }),
  '10 MB': (req, res, next) => later(res, next, (body, type) => {
    send(res, 200, Buffer.concat([body, Buffer.alloc(10_000_000, ' ')]), { 'Content-Type': type });
  }),
  '10 MB in chunks': (req, res, next) => later(res, next, (body, type) => {
    res.writeHead(200, { 'Content-Type': type });
    res.end(Buffer.concat([body, Buffer.alloc(10_000_000, ' ')]));
  }),

  // It is well made, and says something else.
  'an empty set': change(/jwks/, () => ({ keys: [] })),
  'two keys of one name': change(/jwks/, ({ keys }) => ({ keys: keys.flatMap((key) => [key, { ...key, ...another(key) }]) })),
  'no usable key': change(/jwks/, () => ({ keys: [{ kty: 'oct', k: 'c2VjcmV0' }] })),
  'another issuer': change(/well-known/, (document) => ({ ...document, issuer: `${document.issuer}/` })),
  'keys without TLS': change(/well-known/, (document) => ({ ...document, jwks_uri: 'http://127.0.0.1/jwks' })),
};

// What can be wrong with the certificate that the server shows.
const CERTIFICATES = {
  'another CA': 'other-server',
  'another name': 'elsewhere',
  'an expired certificate': 'expired-server',
  'a certificate for clients': 'client-server',
  'a certificate of an authority': 'ca-server',
};

// What can be in the place of the server. Nothing listens where it is null.
const SERVERS = {
  'provider stopped': null,
  silence: () => {},
  'no TLS': (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
};

export class Front {
  #directory;
  #fault = null;
  #https;
  #next;
  #port = 0;
  #server;
  #sockets = new Set();
  #keep = (socket) => {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  };
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
    this.#https = await this.#listen(https.createServer({
      ...this.#certificate('server'),
      ca: this.#read('ca.pem'),
      requestCert: true,
      rejectUnauthorized: false,
    }, (req, res) => this.#answer(req, res)));
    // Somebody who goes away in the middle of a handshake is no matter.
    this.#https.on('tlsClientError', () => {});
  }

  // What has begun has a moment to end.
  async stop() {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => { this.#server.close(resolve); });
    const timer = setTimeout(() => this.#sockets.forEach((socket) => socket.destroy()), 500);
    await closed;
    clearTimeout(timer);
  }

  // Gets it wrong from now on, or no longer (null), at the same port.
  async fault(name) {
    if (name !== null && ![ANSWERS, CERTIFICATES, SERVERS].some((faults) => Object.hasOwn(faults, name))) {
      throw new Error(`no such fault: ${name}`);
    }
    this.#fault = name;
    this.#https.setSecureContext({ ...this.#certificate(CERTIFICATES[name] ?? 'server'), ca: this.#read('ca.pem') });
    const isOurs = !Object.hasOwn(SERVERS, name);
    if (isOurs && this.#server === this.#https && this.#server.listening) return;
    await this.stop();
    if (isOurs) await this.#listen(this.#https);
    else if (SERVERS[name]) await this.#listen(net.createServer(SERVERS[name]));
  }

  #read(name) {
    return readFileSync(`${this.#directory}/${name}`);
  }

  #certificate(name) {
    return { cert: this.#read(`${name}.pem`), key: this.#read(`${name}.key`) };
  }

  async #listen(server) {
    this.#server = server;
    server.removeAllListeners('error');
    if (!server.listenerCount('connection', this.#keep)) server.on('connection', this.#keep);
    for (let attempt = 1; ; attempt += 1) {
      // Not of those that the kernel gives to outgoing connections while nothing listens here.
      const port = this.#port || 20_000 + Math.floor(Math.random() * 12_000);
      try {
        await new Promise((resolve, reject) => {
          server.once('error', reject);
          server.listen(port, '127.0.0.1', resolve);
        });
        this.#port = port;
        return server;
      } catch (error) {
        if (error.code !== 'EADDRINUSE' || attempt > 100) throw error;
      }
    }
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

// The members of another key of the same type and curve.
function another(jwk) {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = createPublicKey({ key: jwk, format: 'jwk' });
  const { publicKey } = generateKeyPairSync(type, { modulusLength: 2048, namedCurve: details.namedCurve });
  return publicKey.export({ format: 'jwk' });
}

// A fault that sends something else in place of a document; others are as they should be.
function change(which, to) {
  return (req, res, next) => {
    if (!which.test(req.url)) next();
    else later(res, next, (body, type) => send(res, 200, JSON.stringify(to(JSON.parse(body))), { 'Content-Type': type }));
  };
}
