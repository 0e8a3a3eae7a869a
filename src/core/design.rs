//! Decisions, and why they were taken. Documentation only.
//!
//! # What is defended
//!
//! The upstream believes `X-Mesh-*`. So nobody but the module may set such a header, and the module
//! may set one only for an identity that is verified, on this request, for this location. The
//! adversary speaks HTTP to the server at will, holds valid tokens and certificates of his own, can
//! see and replay those of others that leak, and can write nothing on the host.
//!
//! # 1. Several crates
//!
//! *Context.* What depends on `ngx` does not link in a test, and a `cdylib` beside an `rlib` loses
//! LTO. *Decision.* The core is a crate that forbids unsafe code; the shell is a `cdylib` alone.
//! *Consequence.* Everything that decides is tested without Nginx, and the tool, the fuzzers and
//! the module cannot differ.
//!
//! # 2. Signatures by aws-lc-rs, tokens by our own reader
//!
//! *Context.* jsonwebtoken parses the key again for each verification (RSA: a third of the cost),
//! compares the token's algorithm with a list instead of with the key, reads the clock itself, and
//! keeps the last of two members of the same name. *Decision.* [`crate::jws`] reads the compact
//! form strictly, and [`crate::jwks`] holds keys that aws-lc-rs parsed once, each with its one set
//! of algorithms. *Consequence.* jsonwebtoken signs the tokens of `meshctl token mint` and of the
//! tests: the verifier is tested against an implementation that is not ours.
//!
//! # 3. The cache holds signatures, under the token itself
//!
//! *Context.* Others cached decisions, and a changed validator or key did not count. *Decision.*
//! [`crate::token::TokenCache`] keeps what cannot change, the signature under one generation of
//! keys and the parsed claims; every check runs on every request. The key is the whole token, not
//! its SHA-256: exact, and cheaper. *Consequence.* Memory is bounded by bytes, not by entries alone.
//!
//! # 4. Claims are kept by pointer
//!
//! *Context.* A parsed JSON tree takes several times the token, and a double holds 15 digits of a number.
//! *Decision.* One reader of our own notes where each value stands and builds no tree; the configuration
//! names every claim that it will ask for, so that a verified token keeps the text of those that
//! variables show and two bits for each that a location requires. *Consequences.* A requirement is
//! judged once a token. The reader is held against that of `serde_json` by tests; numbers are compared
//! by their digits.
//!
//! # 5. Limits by GCRA in one number
//!
//! *Context.* A worker may die at any instruction. *Decision.* The state of a bucket is one time,
//! changed by compare-and-swap, with no lock: see [`crate::limit`]. *Consequence.* Nothing has to
//! be repaired, and a reload may change rates freely.
//!
//! Workers read the clock once in a turn of their event loop, so their clocks lag, and whoever lags
//! sees debts as longer than they are. The latest tick that any worker charged by is shared as a hint,
//! and the clock is read before a refusal: who has room at the true time is not refused.
//!
//! # 5a. Parts of the zone, by who chooses the keys
//!
//! *Context.* A full table that admits newcomers uncounted lets a stranger with an IPv6 network, or a
//! client with a variable, switch off the limits of everybody else. *Decision.* Keys of identities,
//! keys that clients choose and failures have parts of their own ([`crate::limit::Part`]). Newcomers
//! without room share a bucket if they are identities, are charged by their network if they are
//! failures, and are admitted if they choose their keys, for a limit by such a key does not hold
//! them anyway. *Consequence.* An identity can be refused for other newcomers (`limit_overflow`)
//! while the zone is too small, and never for those who have no identity.
//!
//! # 6. What was verified before passes the limit on failures
//!
//! *Context.* A limit on failures by address shuts out all clients behind one NAT when one of them
//! guesses. *Decision.* It stops credentials that are unknown to the worker; a token in the cache
//! is no guess, whatever comes beside it. Requests without a credential are not counted, since they cost nothing.
//!
//! # 7. The kinds of names have an order, and none gives way
//!
//! *Context.* To fall from one kind of name to the next lets a certificate choose who it is; to
//! refuse a certificate for names that nobody asks for shuts out those of Kubernetes, which have
//! several DNS names beside the common name. *Decision.* A SPIFFE ID is the only name of its
//! certificate. Of the kinds that are configured, the first that is there decides: DNS names before a
//! common name. Of several DNS names exactly one must match; there is no first. The kind is part of
//! the identity. *Consequence.* Which name a certificate has depends on the location, so what is
//! remembered of it carries the number of the location's settings.
//!
//! # 8. Methods that are not named are not read
//!
//! *Context.* A location that authenticates by certificate may pass its clients' own tokens on to
//! the platform. *Decision.* A credential of another method is neither verified nor believed; one
//! of a named method must verify wherever it is presented. A token's `cnf` is checked everywhere.
//!
//! # 9. Encoding has one meaning
//!
//! *Context.* Percent-encoding only control and non-ASCII bytes makes `%0A` and a line feed the
//! same text. *Decision.* `%` is encoded too, and a space at either end, where fields are trimmed.
//!
//! # 10. ACCESS, first among its handlers
//!
//! *Context.* A dynamic module is added last, so that its handler runs first in its phase.
//! *Decision.* A 401 is left to Nginx, which may ask other modules under `satisfy any`; everything
//! else ends the request, because deny wins.
//!
//! A subrequest skips the phase and is judged in PRECONTENT, by our own rules alone: nobody asks the
//! other modules there. If one of them admitted its main request, it passes into that very location
//! alone. It shares parts of its parent's header list, so that they are copied before anything is added.
//!
//! # 11. Key files are primed from disk, then from the workers' last version
//!
//! *Context.* A worker that replaces a dead one inherits the keys of the last reload. *Decision.*
//! It reads the files again before its first request, and its thread watches them from then on. Who
//! takes a new version into force, or reads it with the configuration, records it in shared memory
//! before (14). *Consequence.* When the file is bad at that moment, such a worker goes on with the
//! version that was in force last; those of the last reload may have been given up since. The list of
//! what is revoked is not recorded: without it such a worker fails closed, with 503.
//!
//! # 12. No OpenSSL
//!
//! *Context.* A module that links OpenSSL must match Nginx's own, build for build. *Decision.* The
//! certificate and the verdict on its chain come from Nginx's functions.
//!
//! # 13. What is revoked is a list that is looked at, not an event
//!
//! *Context.* A verified token stays in the cache, and its claims say nothing of its end. *Decision.*
//! A list in a file hangs in the snapshot beside the keys, and every request asks it: nothing is
//! flushed. It holds its names in one block and finds them by open addressing, so that to ask and to
//! drop it cost the same however long it is. A bad version changes nothing; a worker that cannot
//! know the last good one answers 503. *Consequence.* The list that counts is the file's, on every
//! host that has it; tools write it with what they have, and check it before they put it in place.
//!
//! # 14. Keys live in shared memory, under their digest
//!
//! *Context.* One worker fetches for all, and may die, be stopped or be replaced at any instruction.
//! *Decision.* Each issuer has two halves and a word that says which is newer; a half counts only if
//! its SHA-256 is right, so that neither the lock nor the order of stores has to be trusted: the lock
//! keeps two writers from spoiling each other's work, no more ([`crate::documents`]). The leader's
//! token tells by its cycle and turn who came last. The zone is named after its sources, so that the
//! same issuers share one memory over a reload, and others begin with a copy. *Consequence.* Old
//! workers of a reload that changed the issuers keep their own zone and their own leader until they
//! are gone: for that time two workers fetch.
//!
//! # 15. Keys are leased
//!
//! *Context.* A key may be withdrawn while its server cannot be asked. *Decision.* When the server
//! last confirmed a set lies beside it, in the half and in the snapshot, and is compared on every
//! request, before the cache is asked. To hear that nothing has changed costs a store and forgets no
//! token. *Consequence.* After `max_stale` every token of the issuer gets 503, never an allow.
//!
//! # 16. The form of an issuer chooses its tokens exactly
//!
//! *Context.* Issuers differ in what says whose a token is: tenants share a template and a key set, a
//! JWT-SVID has only its subject, a load balancer speaks for somebody else. A pattern that is matched
//! is a pattern that is got round. *Decision.* Every form is an exact look-up made when the
//! configuration is read: each listed tenant is a URL, each trust domain a name, each load balancer an
//! ARN ([`crate::issuer::Form`]). `iss` comes first, and where it is there no subject is looked at.
//! Two blocks that a token could mean are refused. What the form asks for besides is checked once, with
//! the signature, and a key that names its issuer is for that one alone. *Consequence.* To take a
//! tenant in is a reload.
//!
//! # 17. One token in one place
//!
//! *Context.* Who reads a token from several places must say which one wins, and the platform behind
//! may say otherwise. *Decision.* Two are refused, as is a cookie or a field that is there twice, before
//! any of them is looked at ([`crate::source::Source`]). What held the token goes, its neighbours in
//! the same field stay, and an internal redirect sees it as it came. *Consequence.* A client with a
//! stale cookie beside its header gets 400 until it drops one.
//!
//! # 18. A proof is forgotten last
//!
//! *Context.* A DPoP proof that is copied with its token is good until somebody remembers that it
//! was used. Eviction, a restart or a longer `max_age` make a memory forget. *Decision.*
//! [`crate::dpop::Memory`] holds a proof until nobody would accept it, refuses new ones where it is
//! full, and refuses proofs from before the time that it knows of. Slots are claimed by
//! compare-and-swap in two steps, so that of any number of workers exactly one accepts a proof, and
//! a worker that dies between them leaves a refusal and not a hole. One key holds a sixteenth at
//! most, so that who holds a bound token cannot have others refused. A proof is used up last: when
//! the request is decided and its limits have room, and before they are charged, so that a client that
//! is told to wait may send it again and a replay costs its victim nothing. *Consequence.* A variable
//! that asks for the identity before the request is judged uses the proof up, for it may be believed
//! at once; one that asks afterwards only shows what was found. Sixteen keys can fill the memory:
//! the zone is sized for the rate that is served, and the reason has a word of its own.
//!
//! # 19. Who was told what by which scheme
//!
//! *Context.* Where bearer tokens and bound ones are both taken, a bound one that is sent as `Bearer`
//! would make theft worthwhile. *Decision.* The binding picks the scheme: a bound token is believed
//! as `DPoP` alone, an unbound one as `Bearer` alone. A challenge offers both, and tells the error
//! by the scheme that was used (RFC 9449 section 7.2).
//!
//! # 20. A resource is what its locations say
//!
//! *Context.* Metadata that is written by hand differs from what is enforced. *Decision.* The
//! document of [`crate::resource`] is made of the settings of the locations that carry the
//! resource's name, when the configuration is read; the location that serves it has none of its own.
//!
//! # 21. Opaque tokens: the request waits, the worker does not
//!
//! *Context.* Only its issuer can read an opaque token, and an answer takes a round trip. *Decision.*
//! [`crate::pipeline::evaluate`] never waits: what is not known is the refusal
//! `introspection_pending`, which is not remembered, so that every caller that cannot wait fails
//! closed. The shell alone turns it into a parked request, as `limit_req` parks a delayed one; the
//! background thread asks, and writes to an eventfd of ours. The answer becomes the same
//! [`crate::token::VerifiedToken`] as a JWT, and every check runs on every request. *Consequence.* A
//! token says nothing of its issuer, so a location may have one that is asked; each worker asks for
//! itself; a revoked token counts for as long as `introspection_cache`. What an issuer says is
//! remembered under the whole token, hashed by SipHash, since clients write the keys; what is refused
//! has its own shelf, so that guesses push out nothing that is good.
//!
//! # 22. A variable keeps what its field lost
//!
//! *Context.* A verified token is taken out of its field before the request goes upstream. A cache key,
//! a `hash` or a log that names `$http_authorization` is made later, and was the same for every caller.
//! *Decision.* Before a field goes, every variable that has an index and shows it is read, since Nginx
//! keeps what such a variable gave once. The indices are found in `init_module`, so that a configuration
//! that names none pays for none. *Consequence.* Whoever names the variable in `proxy_set_header` passes the
//! token on. What is looked up by name alone, and `Vary`, see what is left.
//!
//! # 23. A connection leaves HTTP only for a protocol that is named
//!
//! *Context.* Nginx opens a tunnel if the upstream agrees to any `Upgrade` that the client sent, and the
//! requests in it meet no rule. *Decision.* [`crate::upgrade`] lets one field `websocket` pass, in every
//! server: what none of its locations names goes before anything reads it, what some name goes where the
//! location is known, and comes back in one that names it. The typed slot is emptied, on which the tunnel hangs.
//! *Consequence.* A request without the field pays for a look at that slot.
//!
//! # 24. A key is what it is, not what it is called
//!
//! *Context.* RFC 7517 asks for distinct names and leaves it at that (section 4.5). Servers publish a
//! key for each algorithm under one `kid`, one for signatures beside one for encryption, the same key
//! twice, and one key under two names; to refuse such a set locks everybody out, and to take the first
//! key of a name, or the last, is a guess. *Decision.* Two members are the same key if their
//! thumbprints (RFC 7638, without leading zeros) and the issuers that they are for are equal. A `kid`
//! and an algorithm name a key together; the algorithm stands for the type, and what is not for
//! signatures is no key of ours. If they name two different keys, both are left out with a warning,
//! and the rest of the set is used ([`crate::jwks::KeyFault::KidAmbiguous`]). What holds for a key
//! holds for all of its names: a private part that is published under one, or a revocation.
//! *Consequence.* An `x5t` is a name like a `kid`: the text is compared, and no certificate is read. A
//! token whose `x5t` nobody has may still be verified by the only key that fits; if that fails, the
//! key counts as unknown and the set is fetched again.
//!
//! # 25. An issuer's keys say what they are for
//!
//! *Context.* A list of algorithms that must be kept beside the key set breaks the day the issuer
//! signs by another one. *Decision.* The `alg` of a JWK is believed, as is the key itself, among the
//! signature algorithms that exist here; a key without `alg` takes one fixed algorithm of its type,
//! and `algorithms` narrows both ([`crate::algorithm::KeyAlgorithms`]). *Consequence.* The token's
//! header still chooses nothing: it must name an algorithm that its key verifies.
