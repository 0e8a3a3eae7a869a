# A token that is bound to a key counts with a proof of that key for this very request (RFC 9449).

use v5.36;

use lib 't/lib';

use JSON::PP ();
use Test::More;

use Test::Mesh::Config;
use Test::Mesh::Credentials;
use Test::Mesh::Curl;
use Test::Mesh::File;
use Test::Mesh::Forge;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $began = time;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/UPSTREAM/$upstream->port/ger);
include %%KEYS%%/issuers.conf;
map $mesh_service$http_bucket $bucket { volatile; default $mesh_service$http_bucket; }
add_header Reason $mesh_reason always;
add_header Service $mesh_service always;
large_client_header_buffers 4 20k;
server {
    listen 127.0.0.1:%%PORT%%;
    listen 127.0.0.1:%%PORT:h2%% http2;
    %%TLS http2%%
    ssl_verify_client optional_no_ca;
    mesh_authenticate token;

    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /off {
        mesh_dpop off;
        proxy_pass http://127.0.0.1:UPSTREAM;
        location /off/inner { proxy_pass http://127.0.0.1:UPSTREAM; }
    }
    location /require { mesh_dpop require; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /brief { mesh_dpop accept max_age=1s; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /forward { mesh_forward_credential on; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /origin {
        mesh_dpop_origin https://Edge.example:443;
        proxy_pass http://127.0.0.1:UPSTREAM;
        location /origin/inner { mesh_dpop_origin off; proxy_pass http://127.0.0.1:UPSTREAM; }
    }
    location /any { mesh_authenticate any; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /claim { mesh_require_claim /admin true; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /certificate { mesh_authenticate certificate; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /moved { mesh_require_claim /admin true; error_page 403 = /require; empty_gif; }
    location /limited { mesh_limit calls rate=1r/m key=$http_bucket; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /keyed { mesh_limit keyed rate=1r/m key=$bucket; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /denied { error_page 401 = /require; empty_gif; }
    location /ssi {
        mesh_authenticate off;
        ssi on;
        proxy_pass http://127.0.0.1:%%PORT:page%%;
    }
    location /included { proxy_set_header Who $mesh_service; proxy_pass http://127.0.0.1:UPSTREAM; }
    # To the same settings, and to others.
    location ~ ^/try(?<to>/.*) { try_files /none $to; }
    location ~ ^/rewrite(?<to>/.*) { rewrite ^ $to last; }
}
# A variable asks before the location is known, under settings that are not the location's.
server {
    listen 127.0.0.1:%%PORT:early%%;
    mesh_authenticate token;
    set $early $mesh_service;
    location / {
        mesh_dpop require;
        add_header Early $early always;
        add_header Reason $mesh_reason always;
        proxy_pass http://127.0.0.1:UPSTREAM;
    }
}
server {
    listen 127.0.0.1:%%PORT:page%%;
    location / { default_type text/html; return 200 '<!--# include virtual="/included" -->'; }
}
# Two servers of one address: a proof for the one is none for the other.
server {
    listen 127.0.0.1:%%PORT%%;
    server_name other.example;
    mesh_authenticate token;
    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
}
CONF

my $token = bound();

subtest 'a proof admits' => sub {
    my $response = $server->get_proven('/a');
    is verdict($response), 200, 'a token and its proof';
    is $response->{headers}{service}, 'orders-api', '... are an identity';
    is_deeply [map { arrived($response, $_) } qw(Authorization DPoP)], [], '... and neither goes upstream';
    is $response->{headers}{'www-authenticate'}, undef, '... and nothing is asked for';
    is $response->{headers}{'dpop-nonce'}, undef, '... no nonce either';
    is verdict($server->get('/a', bearer())), 200, 'a token that is bound to nothing needs none';
    $response = $server->get('/a', bearer(), 'DPoP: x');
    is verdict($response), 200, '... and one is not looked at';
    is_deeply [arrived($response, 'DPoP')], [], '... nor passed on';
    is verdict($server->get('/a?x=1&y=/', dpop(url => 'http://localhost/a'))), 200, 'a query string is left out';
    is verdict($server->get('/a?x=1', dpop(url => 'http://localhost/a?y=2#z'))), 200, '... on both sides';
    for my $alg ('RS256', 'PS512') {
        my $key = key_path('rs256.jwk');
        my $bound = token(jkt_of => $key);
        is verdict($server->get_proven('/a', token => $bound, key => $key, alg => $alg)), 200, "a proof by $alg";
    }
    my $key = key_path('eddsa.jwk');
    is verdict($server->get_proven('/a', token => token(jkt_of => $key), key => $key)), 200, 'a proof by EdDSA';
    is verdict($server->get('/a', map { s/DPoP/dpop/r } dpop(url => 'http://localhost/a'))), 200, 'the scheme folds case';
};

subtest 'how it is sent' => sub {
    my @good = dpop(url => 'http://localhost/a');
    my ($authorization, $proof) = @good;
    my @table = (
        ['401 dpop_missing', 'no proof', $authorization],
        ['401 dpop_missing', 'as Bearer', "Authorization: Bearer $token"],
        ['401 dpop_missing', 'as Bearer with its proof', "Authorization: Bearer $token", $proof],
        ['401 dpop_unbound', 'a token that is not bound', 'Authorization: DPoP ' . token(), $proof],
        ['401 dpop_malformed', 'two proofs', @good, $proof],
        ['401 dpop_malformed', 'two proofs, differently spelt', @good, $proof =~ s/DPoP/dPOP/r],
        ['401 dpop_malformed', 'two proofs in one field', $authorization, "$proof, " . $proof =~ s/.*: //r],
        ['401 dpop_malformed', 'an empty proof', $authorization, 'DPoP: '],
        ['401 dpop_malformed', 'the token as its proof', $authorization, "DPoP: $token"],
        ['401 dpop_malformed', 'over 8 KiB', $authorization, $proof . 'A' x 8192],
        ['401 credential_missing', 'the proof alone', $proof],
        ['401 token_malformed', 'no token', 'Authorization: DPoP', $proof],
        ['401 token_malformed', 'a tab', "Authorization: DPoP\t$token", $proof],
        ['401 token_expired', 'an expired token', dpop(token => bound(expires => '-1h'), url => 'http://localhost/a')],
        ['401 binding_unsupported', 'another binding beside',
            dpop(token => token(claims => { cnf => { jkt => 'A' x 43, kid => 'a' } }), url => 'http://localhost/a')],
    );
    for my $row (@table) {
        my ($expected, $name, @headers) = @$row;
        my $response = $server->get('/a', @headers);
        is verdict($response), $expected, $name;
        ok !exists $response->{headers}{'x-upstream'}, '... and goes nowhere';
    }
    is verdict($server->get('/a', @good)), 200, 'none of these used the proof up';
    is verdict($server->get('/a', @good)), '401 dpop_replayed', '... this does';
};

subtest 'what it says' => sub {
    my @table = (
        ['dpop_mismatch', 'another method', method => 'POST'],
        ['dpop_mismatch', 'the method in lower case', method => 'get'],
        ['dpop_mismatch', 'another path', url => 'http://localhost/b'],
        ['dpop_mismatch', 'a longer path', url => 'http://localhost/a/'],
        ['dpop_mismatch', 'another scheme', url => 'https://localhost/a'],
        ['dpop_mismatch', 'another host', url => 'http://other.example/a'],
        ['dpop_mismatch', 'another port', url => 'http://localhost:8080/a'],
        ['dpop_mismatch', 'a user', url => 'http://me@localhost/a'],
        ['dpop_mismatch', 'no origin', url => '/a'],
        ['dpop_stale', 'two minutes ago', at => time - 120],
        ['dpop_stale', 'in a minute', at => time + 60],
        ['binding_mismatch', 'another key', key => 'stranger'],
    );
    for my $row (@table) {
        my ($reason, $name, %options) = @$row;
        is verdict($server->get_proven('/a', %options)), "401 $reason", $name;
    }
    my @other = (url => 'http://localhost/a', token => bound(subject => 'other'));
    is verdict($server->get('/a', "Authorization: DPoP $token", 'DPoP: ' . proof(@other))), '401 dpop_mismatch',
        'a proof for another token of the same key';
    # What is older than the server's memory is not known to be new.
    my $at = time;
    sleep 1 while time < $at + 3;
    is verdict($server->get_proven('/a', at => $at)), 200, 'some seconds ago is just now';
    is verdict($server->get_proven('/brief', at => $at)), '401 dpop_stale', '... but not where a location says so';
    is verdict($server->get_proven('/a', at => $began - 10)), '401 dpop_stale', '... nor before the server was there';
    is verdict($server->get_proven('/a', url => 'HTTP://LocalHost:80/%61')), 200, 'another spelling of the same';
    is verdict($server->get('/b/../%61', dpop(url => 'http://localhost/a'))), 200, '... on the other side';
    is verdict($server->get('/a%2fb', dpop(url => 'http://localhost/a/b'))), '401 dpop_mismatch', '... but not another path';
};

subtest 'forged proofs' => sub {
    my $jwk = JSON::PP->new->decode(slurp(key_path('rs256.jwk')));
    my $bound = token(jkt_of => key_path('rs256.jwk'));
    my ($claims) = map { Test::Mesh::Forge::json({
        JSON::PP->new->decode(MIME::Base64::decode_base64url((split /\./)[1]))->%*,
    }) } proof(token => $bound, url => 'http://localhost/a', key => 'rs256');
    my %public = map { $_ => $jwk->{$_} } qw(kty n e);
    my %header = (typ => 'dpop+jwt', alg => 'RS256', jwk => \%public);
    my $send = sub ($proof) { verdict($server->get('/a', "Authorization: DPoP $bound", "DPoP: $proof")) };
    my $with = sub (%changes) { $send->(forged(header => json({ %header, %changes }), payload => $claims)) };
    my @table = (
        ['dpop_malformed', 'typ JWT', typ => 'JWT'],
        ['dpop_malformed', 'typ in capitals', typ => 'DPOP+JWT'],
        ['dpop_key', 'alg none', alg => 'none'],
        ['dpop_key', 'alg HS256', alg => 'HS256'],
        ['dpop_key', 'alg of another type', alg => 'ES256'],
        ['dpop_signature_invalid', 'another alg of the key', alg => 'PS256'],
        ['dpop_key', 'the private key in it', jwk => { %public, d => $jwk->{d} }],
        ['dpop_key', 'a private prime in it', jwk => { %public, p => $jwk->{p} }],
        ['dpop_key', 'a key to encrypt with', jwk => { %public, use => 'enc' }],
        ['dpop_key', 'a symmetric key', jwk => { kty => 'oct', k => $public{n} }],
        ['dpop_malformed', 'no key', jwk => undef],
        ['dpop_malformed', 'crit', crit => ['b64']],
        ['dpop_malformed', 'b64', b64 => JSON::PP::false],
    );
    for my $row (@table) {
        my ($reason, $name, %changes) = @$row;
        is $with->(%changes), "401 $reason", $name;
    }
    is $send->(compact(json({ %header, alg => 'none' }), $claims, sub { '' })), '401 dpop_key', 'alg none without a signature';
    is $send->(compact(json(\%header), $claims, sub { '' })), '401 dpop_malformed', 'no signature';
    is $send->(compact(json(\%header), $claims, sub { 'A' x 256 })), '401 dpop_signature_invalid', 'a made-up one';
    is $send->(forged(header => json(\%header), payload => $claims =~ s/\}\z/,"htm":"GET"}/r)), '401 dpop_malformed',
        'a claim twice';
    is $send->(forged(header => json(\%header), payload => $claims =~ s/"jti":"[^"]+",?//r)), '401 dpop_malformed',
        'no jti';
    is $with->(x => 1, jku => 'https://evil.example/', kid => 'a'), 200, 'and with a header that is right';
};

subtest 'hosts' => sub {
    my $sent = sub ($line, $host, $url) {
        my @lines = ($line, $host, dpop(url => $url), 'Connection: close', '', '');
        my $answer = $server->raw(join "\r\n", @lines);
        return join ' ', $answer =~ m{\AHTTP/1.1 (\d+)}, $answer =~ /^Reason: (\w+)/m;
    };
    my $get = 'GET /a HTTP/1.1';
    my $port = $server->port;
    for my $row (
        [$get, 'Host: api.example', 'http://api.example/a', '200'],
        [$get, 'Host: API.example', 'http://api.EXAMPLE/a', '200'],
        [$get, 'Host: api.example:80', 'http://api.example/a', '200'],
        [$get, "Host: api.example:$port", "http://api.example:$port/a", '200'],
        [$get, "Host: api.example:$port", 'http://api.example/a', '401 dpop_mismatch'],
        [$get, 'Host: [::1]:8080', 'http://[::1]:8080/a', '200'],
        [$get, 'Host: api.example.', 'http://api.example./a', '200'],
        [$get, 'Host: other.example', 'http://api.example/a', '401 dpop_mismatch'],
        [$get, 'Host: other.example', 'http://other.example/a', '200'],
        ['GET http://api.example/a HTTP/1.1', 'Host: api.example', 'http://api.example/a', '200'],
        # The request line leads to another server than the field names.
        ['GET http://other.example/a HTTP/1.1', 'Host: api.example', 'http://api.example/a', '401 dpop_mismatch'],
        ['GET http://other.example/a HTTP/1.1', 'Host: api.example', 'http://other.example/a', '401 dpop_mismatch'],
        ['GET /a HTTP/1.0', 'X: y', 'http://localhost/a', '401 dpop_mismatch'],
    ) {
        my ($line, $host, $url, $expected) = @$row;
        is $sent->($line, $host, $url), $expected, "$line, $host, $url";
    }
    my @behind = dpop(url => 'https://edge.example/origin');
    is verdict($server->get('/origin', @behind)), 200, 'behind a balancer, its origin counts';
    is verdict($server->get('/origin/inner', dpop(url => 'https://edge.example/origin/inner'))), '401 dpop_mismatch',
        '... unless a location says otherwise';
    is verdict($server->get_proven('/origin')), '401 dpop_mismatch', '... and no other does';
};

subtest 'methods' => sub {
    my $request = sub ($method, $claimed, @headers) {
        my @headers_of = dpop(url => 'http://localhost/a', method => $claimed);
        return verdict($server->request($method, '/a', headers => [@headers_of, @headers], body => 'x'));
    };
    is $request->('POST', 'POST'), 200, 'a POST with a proof for it';
    is $request->('POST', 'GET'), '401 dpop_mismatch', '... and with another one';
    is $request->('POST', 'DELETE', "$_: DELETE"), '401 dpop_mismatch', "$_ changes no method"
        for qw(X-HTTP-Method-Override X-HTTP-Method X-Method-Override);
    is $request->('POST', 'POST', 'X-HTTP-Method-Override: GET'), 200, '... and harms none';
    is $request->('PURGE', 'PURGE'), 200, 'a method of nobody is one';
    # Nginx asks for an error page, and for what is included, by GET.
    my $post = sub ($target, $claimed) {
        my @headers = dpop(url => "http://localhost$target", method => $claimed);
        return $server->request('POST', $target, headers => \@headers, body => 'x');
    };
    is verdict($post->('/moved', 'POST')), 200, 'an error page needs the proof of the request that led to it';
    is verdict($post->('/denied', 'GET')), '401 dpop_mismatch', '... and takes no other';
    is join(',', arrived($post->('/ssi', 'POST'), 'Who')), 'orders-api', 'so does what is included';
    is join(',', arrived($post->('/ssi', 'GET'), 'Who')), '', '... and takes no other';
};

subtest 'which tokens a location takes' => sub {
    is verdict($server->get_proven('/off')), '401 binding_unsupported', 'off: none that is bound to a key';
    is verdict($server->get_proven('/off/inner')), '401 binding_unsupported', '... and inside of it';
    is verdict($server->get('/off', bearer())), 200, '... but others';
    is verdict($server->get_proven('/require')), 200, 'require: one that is bound';
    is verdict($server->get('/require', bearer())), '401 dpop_unbound', '... and no other';
    is verdict($server->get_proven('/any')), 200, 'any: one that is bound';
    is verdict($server->get('/any', "Authorization: Bearer $token")), '401 dpop_missing', '... with its proof';
    my $other = $server->get('/certificate', dpop(url => 'http://localhost/certificate'));
    is verdict($other), '401 certificate_missing', 'where no token is read, no proof is';
};

subtest 'challenges' => sub {
    my $challenge = sub ($target, @headers) { $server->get($target, @headers)->{headers}{'www-authenticate'} };
    my $algs = qr/, algs="[\w ]*\bES256\b[\w ]*"/;
    my $invalid = qr/, error="invalid_token", error_description="[^"]+"/;
    my $proof = qr/, error="invalid_dpop_proof", error_description="[^"]+"/;
    my ($bearer, $dpop) = ('Bearer realm="mesh"', 'DPoP realm="mesh"');
    my $expired = bound(expires => '-1h');
    like $challenge->('/a'), qr/\A$bearer, $dpop$algs\z/, 'both are offered where both are taken';
    like $challenge->('/off'), qr/\A$bearer\z/, '... one where one is';
    like $challenge->('/require'), qr/\A$dpop$algs\z/, '... or the other';
    like $challenge->('/a', "Authorization: Bearer $expired"), qr/\A$bearer$invalid, $dpop$algs\z/,
        'who sent Bearer is told by it';
    like $challenge->('/a', dpop(token => $expired)), qr/\A$bearer, $dpop$invalid$algs\z/, '... and who sent DPoP by that';
    like $challenge->('/a', "Authorization: DPoP $token"), qr/\A$bearer, $dpop$proof$algs\z/, 'the proof is wrong';
    like $challenge->('/a', "Authorization: Bearer $token"), qr/\A$bearer$invalid, $dpop$algs\z/,
        '... or the way of sending it';
    like $challenge->('/require', bearer()), qr/\A$dpop$invalid$algs\z/, '... or the token';
    like $challenge->('/claim', dpop(url => 'http://localhost/claim')),
        qr/\A$dpop, error="insufficient_scope", error_description="[^"]+"$algs\z/, 'a denial is told by what was sent';
};

subtest 'what goes upstream' => sub {
    my @sent = dpop(url => 'http://localhost/forward');
    my $response = $server->get('/forward', @sent);
    is_deeply [map { arrived($response, $_) } qw(Authorization DPoP)], [map { s/^\w+: //r } @sent],
        'both, where that is said';
    @sent = dpop(url => 'http://localhost/try/forward');
    $response = $server->get('/try/forward', @sent);
    is_deeply [map { arrived($response, $_) } qw(Authorization DPoP)], [map { s/^\w+: //r } @sent],
        '... also where a redirect leads there from elsewhere';
};

subtest 'one request is no replay of itself' => sub {
    for my $way ('/try', '/rewrite') {
        for my $target ('/a', '/require', '/brief', '/any', '/forward') {
            my @sent = dpop(url => "http://localhost$way$target");
            is verdict($server->get("$way$target", @sent)), 200, "by $way to $target";
            is verdict($server->get("$way$target", @sent)), '401 dpop_replayed', '... once';
        }
        is verdict($server->get_proven("$way/off")), '401 binding_unsupported', "by $way to where none is taken";
        is verdict($server->get("$way/a", dpop(url => 'http://localhost/a'))), '401 dpop_mismatch',
            '... and the URI is that which was sent';
    }
    my $early = sub (@headers) { $server->request('GET', '/', port => 'early', headers => \@headers) };
    my @sent = dpop(url => 'http://localhost/');
    my $response = $early->(@sent);
    is verdict($response), 200, 'a variable asked before';
    is $response->{headers}{early}, 'orders-api', '... and knew who it is';
    is verdict($early->(@sent)), '401 dpop_replayed', '... which counts once';
    is $early->(@sent)->{headers}{early}, undef, '... and makes nobody of a replay';
};

subtest 'a proof is used up by what is admitted' => sub {
    # The bucket is the client's to choose, so that none has to wait for one.
    for my $target ('/limited', '/keyed') {
        my ($first, $second, $third) = map { [dpop(url => "http://localhost$target")] } 1 .. 3;
        my $told = sub ($proof, $bucket) { verdict($server->get($target, @$proof, "Bucket: $bucket")) };
        is $told->($first, 'a'), 200, "$target: a request";
        is $told->($second, 'a'), '429 limited', '... and one too many';
        is $told->($second, 'b'), 200, '... which may come again with its proof';
        is $told->($second, 'c'), '401 dpop_replayed', '... once';
        is $told->($third, 'c'), 200, '... and the replay was not charged';
    }
    my @denied = dpop(url => 'http://localhost/moved');
    is verdict($server->get('/moved', @denied)), 200, 'one that is denied, and admitted by the error page';
    is verdict($server->get('/moved', @denied)), '401 dpop_replayed', '... uses it up there';
};

subtest 'HTTP/2 and TLS' => sub {
    my $curl = sub ($url, $claimed, @arguments) {
        my @headers = map { ('-H', $_) } dpop(url => $claimed, token => $token);
        return curl(qw(-o /dev/null -w), '%{http_version} %{http_code} %header{reason}', curl_tls(), @headers, @arguments, $url)
            =~ s/ \z//r;
    };
    my $h2 = 'http://127.0.0.1:' . $server->port('h2');
    is $curl->("$h2/a?b=c", "$h2/a", '--http2-prior-knowledge'), '2 200', 'over HTTP/2 its authority is the host';
    is $curl->("$h2/a", 'http://127.0.0.1/a', '--http2-prior-knowledge'), '2 401 dpop_mismatch', '... with its port';
    my $tls = 'https://localhost:' . $server->port('tls');
    is $curl->("$tls/a", "$tls/a", $_), ($_ eq '--http2' ? '2' : '1.1') . ' 200', "over TLS, $_"
        for '--http2', '--http1.1';
    is $curl->("$tls/a", $tls =~ s/https/http/r . '/a', '--http2'), '2 401 dpop_mismatch', '... the scheme is https';
    my $both = token(jkt_of => key_path('client.jwk'), thumbprint_of => key_path('spiffe.pem'));
    my $proven = sub () { dpop(token => $both, url => 'https://localhost/a') };
    is verdict($server->get_as(undef, '/a', $proven->())), '401 binding_mismatch',
        'a token that is bound to both needs its certificate';
    is verdict($server->get_as('dns', '/a', $proven->())), '401 binding_mismatch', '... and no other';
    is verdict($server->get_as('spiffe', '/a', bearer_of($both))),
        '401 dpop_missing', '... and its proof';
    is verdict($server->get_as('spiffe', '/a', $proven->())), 200, '... both';
};

$server->stop;

my $issuers = 'include %%KEYS%%/issuers.conf;';
refused_at("$_; # here\n", $_ =~ s/ .*//r) for
    'mesh_dpop on', 'mesh_dpop accept max_age=11m', 'mesh_dpop off max_age=1m', 'mesh_dpop require require',
    'mesh_dpop_origin api.example', 'mesh_dpop_origin https://api.example/a', 'mesh_dpop_nonce maybe',
    'mesh_dpop_nonce off lifetime=1m', 'mesh_dpop_zone 1k', 'mesh_dpop_zone 8g';
refused_at("mesh_dpop off;\nmesh_dpop off; # here\n", 'is duplicate');
config_refused('mesh_dpop_zone 1m; limit_req_zone $host zone=mesh_dpop:1m rate=1r/s;', qr/"mesh_dpop"/,
    'nobody else has a zone "mesh_dpop"');
config_accepted("$issuers mesh_dpop_zone 64k; server { mesh_authenticate token; mesh_dpop require max_age=10m; }",
    'the smallest zone and the longest age');
done_testing;
