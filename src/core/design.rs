//! Decisions, and their reasons. Documentation only.
//!
//! # What is defended
//!
//! The upstream trusts `X-Mesh-*`. Therefore only the module may set such a header, and only for an
//! identity that is verified, on this request, for this location. The adversary speaks HTTP to the
//! server at will, holds valid tokens and certificates of their own, can see and replay leaked ones
//! of others, and can write nothing on the host. [`crate::manual::attacks`] lists the attacks.
//!
//! # 1. Several crates
//!
//! *Context.* Code that depends on `ngx` does not link in a test, and a `cdylib` beside an `rlib` loses
//! LTO. *Decision.* The core is a crate that forbids unsafe code; the shell is a `cdylib` alone.
//! *Consequence.* All deciding code is tested without Nginx, and the tool, the fuzzers and the
//! module cannot differ.
//!
//! # 2. Signatures by aws-lc-rs, tokens by our own reader
//!
//! *Context.* jsonwebtoken parses the key again for each verification (RSA: a third of the cost),
//! compares the token's algorithm with a list instead of with the key, reads the clock itself, and
//! keeps the last of two members of the same name. *Decision.* [`crate::key::jws`] reads the compact
//! form strictly, and [`crate::key::jwks`] holds keys that aws-lc-rs parsed once, each with its one set
//! of algorithms; [`crate::key::sign`] signs by a [`crate::key::private`] key for all who sign.
//! *Consequence.* jsonwebtoken is a dependency of the tests alone: an independent implementation tests
//! the verifier by tokens of its own, and the signer by reading what it signed.
//!
//! # 3. The cache holds signatures, under the token itself
//!
//! *Context.* A cache of decisions ignores a changed validator or key. *Decision.*
//! [`crate::token::TokenCache`] keeps only constants: the result of the signature under one generation
//! of keys, and the parsed claims; every check runs on every request. The key is the whole token, not
//! its SHA-256: exact, and cheaper. *Consequence.* Memory is bounded by bytes, not by entries alone.
//!
//! # 4. Claims are kept by pointer
//!
//! *Context.* A parsed JSON tree takes several times the token, and a double holds 15 digits of a number.
//! *Decision.* One reader of our own notes where each value starts and ends, and builds no tree. The
//! configuration names every claim that it uses, so a verified token keeps the text of the claims
//! that variables show, and two bits for each required claim. *Consequences.* A requirement is judged
//! once per token. Tests compare the reader with `serde_json`; numbers are compared by their digits. A
//! policy that is loaded later names claims that were not kept: see 28.
//!
//! # 5. Limits by GCRA in one number
//!
//! *Context.* A worker may die at any instruction. *Decision.* The state of a bucket is one time,
//! changed by compare-and-swap, with no lock: see [`crate::limit`]. *Consequence.* Nothing needs
//! repair, and a reload may change rates freely.
//!
//! Workers read the clock once per turn of their event loop, so their clocks lag, and a lagging worker
//! sees debts as longer than they are. The latest tick of all workers is shared as a hint, and the
//! clock is read before a refusal: a request that has room at the true time is not refused.
//!
//! # 5a. Parts of the zone, by who chooses the keys
//!
//! *Context.* If a full table admits new keys uncounted, a stranger with an IPv6 network, or a client
//! with a variable, can switch off the limits of all other clients. *Decision.* Identities, keys that
//! clients choose, and failures have separate parts ([`crate::limit::Part`]). If a part is full, new
//! identities share a bucket, failures are charged to their network, and chosen keys are admitted: a
//! limit by such a key does not hold their owner anyway. *Consequence.* While the zone is too small, an
//! identity can be refused because of other new ones (`limit_overflow`), but never because of
//! clients without an identity.
//!
//! # 6. Known tokens pass the limit on failures
//!
//! *Context.* A limit on failures by address locks out all clients behind one NAT when one of them
//! guesses. *Decision.* It stops credentials that the worker does not know; a token in the cache is no
//! guess, even with other credentials beside it. Requests without a credential are not counted, since
//! they cost nothing.
//!
//! # 7. Kinds of certificate names have an order without fallback
//!
//! *Context.* A fallback from one kind of name to the next lets a certificate choose its identity. A
//! refusal for names that the configuration ignores locks out the certificates of Kubernetes, which
//! have several DNS names beside the common name. *Decision.* A SPIFFE ID is the only name of its
//! certificate. Of the configured kinds, the first that is present decides: DNS names before a
//! common name. Exactly one of several DNS names must match. The kind is part of the identity.
//! *Consequence.* The name of a certificate depends on the location, so a cached name carries the
//! number of the location's settings.
//!
//! # 8. Methods that are not named are not read
//!
//! *Context.* A location that authenticates by certificate may pass its clients' own tokens on to
//! the platform. *Decision.* A credential of another method is neither verified nor trusted; one
//! of a named method must verify whenever it is present. A token's `cnf` is checked everywhere.
//!
//! # 9. Encoding has one meaning
//!
//! *Context.* Percent-encoding only control and non-ASCII bytes makes `%0A` and a line feed the
//! same text. *Decision.* `%` is encoded too, and so is a space at either end, where fields are trimmed.
//!
//! # 10. ACCESS, first among its handlers
//!
//! *Context.* A dynamic module is added last, so that its handler runs first in its phase. *Decision.*
//! A 401 is left to Nginx, which may ask other modules under `satisfy any`; every other refusal ends
//! the request, because deny wins. A location with a platform sends a page of the platform's shape
//! itself, unless it has an `error_page` for the status or another module may still admit the request.
//!
//! A subrequest skips the phase and is judged in PRECONTENT, by our own rules alone: Nginx does not
//! ask the other modules there. If one of them admitted the main request, the subrequest passes into
//! that very location alone. It shares parts of its parent's header list, so these are copied before
//! a header is added.
//!
//! # 11. Key files are primed from disk, then from the workers' last version
//!
//! *Context.* A worker that replaces a dead one inherits the keys of the last reload. *Decision.*
//! It reads the files again before its first request, and its thread watches them from then on. A
//! worker that puts a new version in force, and the process that reads it with the configuration,
//! first record it in shared memory (14). *Consequence.* If the file is bad at that moment, the worker
//! continues with the last version in force; the keys of the last reload may be obsolete. The list of
//! revoked tokens and policies are not recorded: without them such a worker fails closed, with 503.
//!
//! # 12. No OpenSSL
//!
//! *Context.* A module that links OpenSSL must match Nginx's own, build for build. *Decision.* The
//! certificate and the verdict on its chain come from Nginx's functions.
//!
//! # 13. Revocations are a list, not an event
//!
//! *Context.* A verified token stays in the cache, and its claims do not announce its end. *Decision.*
//! A list from a file is part of the snapshot, beside the keys, and every request looks its token up:
//! nothing is flushed. The list holds its names in one block and finds them by open addressing, so the
//! cost of a look-up and of dropping the list does not depend on its length. A bad version changes
//! nothing; a worker that cannot know the last good one answers 503. *Consequence.* The file is the
//! only source, on every host that has it; tools write it, and check it before they put it in place.
//!
//! # 14. Keys live in shared memory, under their digest
//!
//! *Context.* One worker fetches for all, and may die, be stopped or be replaced at any instruction.
//! *Decision.* Each issuer has two halves and a word that says which is newer. A half is valid only if
//! its SHA-256 is right, so neither the lock nor the order of stores has to be trusted: the lock only
//! keeps two writers from spoiling each other's work ([`crate::documents`]). The leader's token orders
//! workers by cycle and turn. The zone is named after its sources: the same issuers share one memory
//! over a reload, others begin with a copy. *Consequence.* Old workers of a reload that changed the
//! issuers keep their own zone and their own leader until they exit: until then two workers fetch.
//!
//! # 15. Keys are leased
//!
//! *Context.* A key may be withdrawn while its server is unreachable. *Decision.* The time of the
//! server's last confirmation is stored with the set, in the half and in the snapshot, and is compared
//! on every request, before the cache is asked. A confirmation without a change costs one store and
//! invalidates no token. *Consequence.* After `max_stale` every token of the issuer gets 503, never an
//! allow.
//!
//! # 16. The form of an issuer chooses its tokens exactly
//!
//! *Context.* Issuers differ in how a token names them: tenants share a template and a key set, a
//! JWT-SVID has only its subject, a load balancer speaks for another issuer. Patterns invite bypasses.
//! *Decision.* Every form is an exact look-up, made when the configuration is read: each listed tenant
//! is a URL, each trust domain a name, each load balancer an ARN ([`crate::issuer::Form`]). `iss` comes
//! first; if it is present, the subject is not looked at. Two blocks that a token could mean are
//! refused. Further conditions of the form are checked once, with the signature, and a key that names
//! its issuer verifies for that issuer alone. *Consequence.* A new tenant needs a reload.
//!
//! # 17. One token in one place
//!
//! *Context.* A gateway that reads a token from several places must choose one, and the platform behind
//! may choose another. *Decision.* Two tokens are refused, and so is a cookie or a field that occurs
//! twice, before any of them is read ([`crate::request::source::Source`]). The place of the token is
//! removed, its neighbours in the same field stay, and an internal redirect sees the field unchanged.
//! *Consequence.* A client with a stale cookie beside its header gets 400 until it drops one.
//!
//! # 18. Replay memory never forgets a proof that could be used
//!
//! *Context.* A copied DPoP proof is valid, together with its token, unless the server remembers its
//! use. Eviction, a restart or a longer `max_age` make a memory forget. *Decision.*
//! [`crate::proof::Memory`] holds a proof until it cannot be accepted any more, refuses new ones if it
//! is full, and refuses proofs from before the time that it knows of. Slots are claimed by
//! compare-and-swap in two steps: of any number of workers exactly one accepts a proof, and a worker
//! that dies between the steps leaves a refusal, not a hole. One key holds a sixteenth at most, so the
//! holder of a bound token cannot have others refused. A proof is used up late: after the claims that
//! the location requires, when the limits have room, and before they are charged. A client that is told
//! to wait may send it again, and a replay costs its victim nothing. What the policy refuses has used
//! its proof up; a request that waits for its body is not asked for the proof twice. *Consequence.* A
//! variable that asks for the identity before the request is judged uses the proof up, because its
//! reader may rely on it at once; a later one only shows the result. Sixteen keys can fill the memory:
//! size the zone for the rate that is served; the reason has a word of its own.
//!
//! # 19. Errors are reported under the scheme the client used
//!
//! *Context.* If a location accepts both bearer tokens and bound ones, accepting a bound token as
//! `Bearer` would make theft worthwhile. *Decision.* The binding decides the scheme: a bound token is
//! valid as `DPoP` alone, an unbound one as `Bearer` alone. A challenge offers both, and reports the
//! error under the scheme that the client used (RFC 9449 section 7.2).
//!
//! # 20. Resource metadata follows from the locations
//!
//! *Context.* Metadata that is written by hand differs from what is enforced. *Decision.* The
//! document of [`crate::config::metadata`] is derived from the settings of the locations that carry the
//! resource's name, when the configuration is read; the location that serves it adds none of its own.
//!
//! # 21. Opaque tokens: the request waits, the worker does not
//!
//! *Context.* Only its issuer can read an opaque token, and an answer takes a round trip. *Decision.*
//! [`crate::pipeline::evaluate`] never waits: an unknown token ends the line in
//! [`Waits`](crate::pipeline::Outcome::Waits), which names the [`Need`](crate::need::Need) and is not
//! cached. A caller that cannot wait refuses with `introspection_pending`. Only the shell turns it into
//! a parked request, as `limit_req` parks a delayed one; the background thread asks, and writes to an
//! eventfd of ours. The answer becomes the same [`crate::token::VerifiedToken`] as a JWT, and every check
//! runs on every request. The other need, a body, takes the same way: see 32. *Consequence.* A
//! token does not name its issuer, so a location may have one introspecting issuer; each worker asks
//! for itself; a revoked token stays valid for up to `introspection_cache`. Answers are cached under
//! the whole token, hashed by SipHash, since clients write the keys; refused tokens have a cache of
//! their own, so guesses displace no good token.
//!
//! # 22. Variables keep the credential that its field lost
//!
//! *Context.* A verified token is removed from its field before the request goes upstream. A cache key,
//! a `hash` or a log that names `$http_authorization` is evaluated later, and was the same for every
//! caller. *Decision.* Before a field is removed, every variable that has an index and shows the field
//! is read, since Nginx keeps the value of such a variable. The indices are found in `init_module`; a
//! configuration that names none pays nothing. *Consequence.* A configuration that names the variable
//! in `proxy_set_header` passes the token on. A look-up by name alone, and `Vary`, see what is left.
//!
//! # 23. A connection leaves HTTP only for a named protocol
//!
//! *Context.* Nginx opens a tunnel if the upstream agrees to any `Upgrade` that the client sent, and
//! the requests in it meet no rule. *Decision.* [`crate::request::upgrade`] lets one field `websocket`
//! pass, in every server. A protocol that no location of the server names is removed before the field
//! is read; one that some location names is removed once the location is known, and put back in a
//! location that names it. The typed slot, on which the tunnel depends, is emptied. *Consequence.* A
//! request without the field pays for a look at that slot.
//!
//! # 24. A key's identity is its material, not its name
//!
//! *Context.* RFC 7517 asks for distinct names, but no more (section 4.5). Servers publish a key for
//! each algorithm under one `kid`, one for signatures beside one for encryption, the same key twice,
//! and one key under two names. Refusing such a set locks all clients out; taking the first key of a
//! name, or the last, is a guess. *Decision.* Two members are the same key if their thumbprints (RFC
//! 7638, without leading zeros) and the issuers that they are for are equal. A `kid` and an algorithm
//! name a key together; the algorithm implies the type, and keys that are not for signatures are
//! ignored. If they name two different keys, both are skipped with a warning, and the rest of the set
//! is used ([`crate::key::jwks::KeyFault::KidAmbiguous`]). A fact about a key holds for all of its names:
//! a private part that is published under one, or a revocation. *Consequence.* An `x5t` is a name like
//! a `kid`: the text is compared, and no certificate is read. The only key that fits may still verify a
//! token with an unknown `x5t`; if it does not, the key is unknown and the set is fetched again.
//!
//! # 25. An issuer's keys declare their algorithms
//!
//! *Context.* A list of algorithms that is kept beside the key set breaks when the issuer changes its
//! algorithm. *Decision.* The `alg` of a JWK is trusted, like the key itself, among the signature
//! algorithms that exist here; a key without `alg` takes one fixed algorithm of its type, and
//! `algorithms` narrows both ([`crate::key::algorithm::KeyAlgorithms`]). *Consequence.* The token's
//! header still chooses nothing: it must name an algorithm that its key verifies.
//!
//! # 26. Limits are charged before the request is named
//!
//! *Context.* If only permitted requests are charged, refused ones are free: a client that tries names,
//! or that sends bodies to be read, costs the gateway more than one that works. *Decision.* The limits
//! of the location are charged once, as soon as the identity holds the claims that the location
//! requires: before the request is named, before its body is read, and before the policy decides. A
//! refusal gives nothing back. [`crate::stage::admit::admit`] takes a
//! [`Paid`](crate::stage::admit::Paid) beside the [`Permit`](crate::stage::decide::Permit), so that
//! neither can be left out, and the memo remembers what was charged while the request waits for its
//! body. *Consequence.* A mistyped path costs its client a unit. Limits by role need the decision, and
//! will be a second charge after it.
//!
//! # 27. One routing, before anybody is authenticated
//!
//! *Context.* A few requests of a platform come before any credential: clients of Databricks read
//! `/.well-known/databricks-config` to learn where tokens come from. A list of exempt paths beside the
//! table would be a second reader of paths, and what two readers read differently is a bypass.
//! *Decision.* The table is asked once, first, and the row says whether the request is a probe. The
//! same [`Route`](crate::platform::Route) is named and decided on later. Whatever else it says
//! (unknown, refused on purpose, ambiguous) waits until the identity has paid: without a credential
//! every request but a probe is 401, and a stranger does not learn what the table knows. *Consequence.*
//! A request without a credential costs a routing, which is bounded in segments and steps. A probe is
//! charged to its address and to variables alone, its credential is neither read nor removed, and the
//! module has no opinion on it under `satisfy any`.
//!
//! # 28. A policy reads claims from the token at hand
//!
//! *Context.* A verified token keeps the claims that the configuration names (4), and a policy that is
//! loaded later may name others. To keep all claims multiplies the memory of the cache; to drop the
//! cache at each new policy verifies every token again in one second. *Decision.* The cache finds a
//! token by all of its bytes, so the token in the request is the one whose signature was verified:
//! [`with_claims`](crate::token::VerifiedToken::with_claims) parses its payload again, and verifies
//! nothing. That happens once a token and a version of the policy, and only if the policy asks for
//! claims. The bytes of an introspected token say nothing, so its verified form keeps the answer of its
//! issuer. The alternative, to treat its claims as unknown until the issuer is asked again, would
//! refuse every opaque token at the moment a policy is loaded, or ask about all of them at once.
//! *Consequence.* With a policy, an opaque token takes as much more memory as its answer is long, and
//! the cache of answers counts that. Claims that cannot be read are unknown, not absent: no binding
//! holds by them, and every denial does.
//!
//! # 29. Views are found by a mark on the token
//!
//! *Context.* An identity with 200 of the 50,000 bindings of one pattern costs 29,000 instructions if a
//! decision searches lists of bindings. *Decision.* All that follows from who an identity is, whatever
//! the moment and the address, is gathered once into a [`View`](crate::policy::index::View), and
//! identities to whom the same rules apply share it. The worker keeps views in a list
//! ([`crate::policy::Views`]), and leaves a [`Mark`](crate::token::Mark) on the verified token: a
//! request finds its view by an index and a comparison, and hashes nothing. A certificate without a
//! token is found by its SHA-256. A stamp is given out once, and a view counts only for the version in
//! force and for the same certificate: an old mark finds nothing. *Consequence.* The token knows
//! nothing of policies. Views of tokens that are gone stay until the room of 4 MiB is used up; then all
//! views go, and are made again when they are asked for.
//!
//! # 30. Policies are no part of the snapshot of the keys
//!
//! *Context.* The generation of the snapshot says which verified tokens are still good. A policy in it
//! would have every token verified again, and a new key every view made again; no decision needs both
//! at one generation. *Decision.* [`crate::policy::Policies`] has an `ArcSwap` of its own. It holds the
//! versions of all policies at one moment, so one evaluation sees one version; a request that has
//! waited for its body is decided by the version that is in force then. A version that no worker can
//! know is `None`, which refuses with 503. *Consequence.* Each [`Edition`](crate::policy::Edition) has
//! a generation of its own, by which views are compared. A policy is not recorded in shared memory
//! (11): it may have 64 MiB, and an older one may allow what the newer one refuses.
//!
//! # 31. Each worker looks at a policy at another interval
//!
//! *Context.* To read and index a policy of 100,000 rules takes most of a second of a processor, and
//! the memory of two versions. An index in shared memory would need pointers that survive a worker's
//! death. *Decision.* The thread of each worker reads the file by itself, off the event loop, and swaps
//! the index whole. Its number chooses the time between two looks, from 400 ms to a second, so that the
//! workers' looks drift apart and their work does not fall into one moment. What was in force is
//! dropped on the thread, too. *Consequence.* For about a second two connections may meet two versions;
//! `mesh_status` shows the digest that its worker has.
//!
//! # 32. A body is read by a filter, and refused by the access phase
//!
//! *Context.* Some operations are named by their body. To keep bodies takes memory as large as clients
//! choose, and Nginx moves large ones to files. *Decision.* A request body filter sees each piece on
//! its way to Nginx's own buffers, and a [`Reader`](crate::body::Reader) keeps the selected members
//! alone. The access handler starts the reading and answers `NGX_DONE`; once the body is whole, the
//! phases run again, and the line goes on from the memo. If a body is refused on the way, the filter
//! answers `NGX_AGAIN`: for Nginx nothing more has come, so it neither reads on nor answers. An error
//! code would have Nginx finalize the request from within its reading, by a page of its own and without
//! our outcome, log line and variables. An event of ours is posted instead, and calls the access phase
//! when Nginx has returned: one place refuses, whatever the reason. `mesh_body_timeout` is a timer of
//! the same event.
//!
//! The call to read counts the request once more, which is taken back at once: as long as the body
//! comes, only the connection holds the request. If Nginx ends the reading, because the client is gone
//! or a chunk is none, it ends the request, and what we keep goes with its pool. The event acts only if
//! Nginx's handlers and the count of redirects are as they were when the request was parked.
//! *Consequence.* What was seen is what is sent: the bytes are counted, and must be as many as Nginx
//! has at the end. A body that another module has read into a file is 413. `proxy_request_buffering
//! off` has no effect on such operations. 400, 408, 413 and 415 end the connection, since the rest of a
//! body would be read as the next request.
//!
//! # 33. Each body reserves 64 KiB
//!
//! *Context.* How much memory the members of a body take is known at its end. A worker that reads until
//! `mesh_body_memory` is used up would have to refuse bodies that are half read, and their clients
//! would send them again. *Decision.* The most that one body may take is reserved before its first byte
//! is read, and what is not kept is given back at its end. *Consequence.* The directive is the number
//! of bodies that a worker reads at once: 256 by default. A slow client holds a place for as long as
//! `mesh_body_timeout`. The identity has paid by then, and holds a rule of a kind that the row names,
//! so a stranger holds no place.
//!
//! # 34. A worker names a line once
//!
//! *Context.* To find the row of a target of 80 bytes and to name what it asks for took 2,900 to 3,900
//! instructions, as much as the rest of the line. Clients of data platforms repeat themselves: a producer
//! sends to one topic, and whoever waits for a run asks about that run. *Decision.* What a request
//! asks for rests on the bytes of its line, on the settings of its location and, for some rows, on a few
//! fields. A worker keeps it in a [`RouteCache`](crate::stage::decide::RouteCache), together with what
//! the naming was told of each field that it asked for: the naming asks for the next field only by what
//! the line and the fields before it say, so the same answers lead to the same name. A line is found by
//! all of its bytes, and only if each of those fields says the same now. What a body says is not kept.
//! Neither is a decision: the policy decides about each request by its own version, time, address and
//! view. A line comes in behind authentication, so that nobody fills the cache without a credential.
//! *Consequence.* 2,048 lines of up to 256 bytes: 1 MB a worker of usual ones, 5 MB at most. Whoever sends a new line each
//! time pays for its name, and has others' lines named anew.
