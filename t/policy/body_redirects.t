# A body that was read is there for whatever comes next: other locations, other modules, other requests.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;

use Test::Mesh::Body;
use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Port;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream qw(echo_all read_body read_head);
use Test::Mesh::Wait;

my $dir = tempdir('policy-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
spew("$dir/users", "user:{PLAIN}password\n");
spew("$dir/policy.yaml", <<'POLICY');
version: 1
services:
  etl: [ { issuer: idp, service: etl }, { issuer: brief, service: etl } ]
roles:
  runner: [ { shop: { orders: ["7", all-may], actions: [write] } }, { mart: { orders: ["7"], actions: [write] } } ]
bindings:
  - { name: night, role: runner, services: [etl] }
POLICY
spew("$dir/shop.routes", <<'TABLE');
platform shop
kind order form=plain actions=read,write
POST /a shop.a order:write body:/a
POST /b shop.b order:write body:/b
GET /b shop.get_b order:write body:/b
POST /n shop.n order:write body:/b
POST /none shop.none order:write const:all-may
GET /none shop.get_none order:write const:all-may
TABLE
spew("$dir/other.routes", <<'TABLE');
platform mart
kind order form=plain actions=read,write
POST /a shop.a order:write body:/b
TABLE

my $upstream = Test::Mesh::Upstream->start(answer => \&echo_all);
# Leads every request elsewhere; if it is asked to, before it has read the body.
my $leading = Test::Mesh::Upstream->start(answer => sub ($socket) {
    my ($head, $rest) = read_head($socket) or return;
    my ($to) = $head =~ /^X-To: (\S+)/m;
    if ($head =~ /^X-Early/m) { syswrite $socket, "HTTP/1.1 200 OK\r\nX-Accel-Redirect: $to\r\nContent-Length: 0\r\n\r\n"; sleep 1; return }
    read_body($socket, $head, $rest) // return;
    print {$socket} "HTTP/1.1 " . ($to =~ /^\d/ ? "$to X" : "200 OK\r\nX-Accel-Redirect: $to")
        . "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
});
# Writes what a mirror sends it.
my $mirrored = Test::Mesh::Upstream->start(answer => sub ($socket) {
    my ($head, $rest) = read_head($socket) or return;
    my $body = read_body($socket, $head, $rest) // return;
    spew("$dir/mirrored", $body);
    print {$socket} "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
});
my $nobody = free_port();
my $server = Test::Mesh::Server->start(
    <<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr =~ s/%%LEADING%%/$leading->url/egr =~ s/%%MIRRORED%%/$mirrored->url/egr =~ s/%%NOBODY%%/http:\/\/127.0.0.1:$nobody/gr =~ s/%%DIR%%/$dir/gr);
include %%KEYS%%/issuers.conf;
mesh_issuer brief {
    issuer https://brief.example;
    audience mesh;
    jwks %%KEYS%%/idp.jwks;
    leeway 0s;
}
limit_req_zone $uri zone=all:1m rate=5r/s;
mesh_policy %%DIR%%/policy.yaml;
add_header Reason $mesh_reason always;
client_max_body_size 64m;
lingering_timeout 500ms;
proxy_intercept_errors on;
mesh_body_inspect 64k;
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    mesh_platform file=%%DIR%%/shop.routes;
    proxy_http_version 1.1;
    location /b { proxy_pass %%UPSTREAM%%; }
    location /none { proxy_pass %%UPSTREAM%%; }
    location /try/ { mesh_platform file=%%DIR%%/shop.routes prefix=/try; root %%DIR%%; try_files /nothing /b; }
    location /none-first/ { mesh_platform file=%%DIR%%/shop.routes prefix=/none-first; root %%DIR%%; try_files /nothing /b; }
    location /small/ {
        mesh_platform file=%%DIR%%/shop.routes prefix=/small;
        client_body_buffer_size 1k;
        root %%DIR%%;
        try_files /nothing /b;
    }
    location /page/ {
        mesh_platform file=%%DIR%%/shop.routes prefix=/page;
        error_page 404 /b;
        error_page 405 /none;
        error_page 409 = @other;
        error_page 410 = @open;
        proxy_pass %%LEADING%%;
    }
    location @other { mesh_platform file=%%DIR%%/other.routes prefix=/page; proxy_pass %%UPSTREAM%%; }
    location @open { mesh_authenticate off; mesh_platform off; proxy_pass %%UPSTREAM%%; }
    location /down/ {
        mesh_platform file=%%DIR%%/shop.routes prefix=/down;
        error_page 502 = @down;
        proxy_pass %%NOBODY%%;
    }
    location @down { mesh_platform file=%%DIR%%/other.routes prefix=/down; proxy_pass %%UPSTREAM%%; }
    location /open/ { mesh_authenticate off; mesh_platform off; proxy_pass %%LEADING%%; error_page 409 = @named; }
    location @named { mesh_platform file=%%DIR%%/shop.routes prefix=/open; proxy_pass %%UPSTREAM%%; }
    location /stream/ {
        mesh_authenticate off;
        mesh_platform off;
        proxy_request_buffering off;
        proxy_pass %%LEADING%%;
    }
    location /discard/ {
        mesh_authenticate off;
        mesh_platform off;
        root %%DIR%%;
        error_page 416 = @discarded;
    }
    location @discarded { mesh_platform file=%%DIR%%/shop.routes prefix=/discard; proxy_pass %%UPSTREAM%%; }
    location /any/ {
        mesh_platform file=%%DIR%%/shop.routes prefix=/any;
        mesh_token_source header X-Token;
        satisfy any;
        auth_basic x;
        auth_basic_user_file %%DIR%%/users;
        proxy_pass %%UPSTREAM%%;
    }
    location /mirror/ {
        mesh_platform file=%%DIR%%/shop.routes prefix=/mirror;
        mirror /copy;
        proxy_pass %%UPSTREAM%%;
    }
    location = /copy { internal; mesh_subrequests pass; proxy_pass %%MIRRORED%%/; }
    location /mirror-judged/ {
        mesh_platform file=%%DIR%%/shop.routes prefix=/mirror-judged;
        mirror /mirror-b/b;
        proxy_pass %%UPSTREAM%%;
    }
    location /mirror-b/ { mesh_platform file=%%DIR%%/shop.routes prefix=/mirror-b; proxy_pass %%MIRRORED%%; }
    location /asks/ {
        mesh_platform file=%%DIR%%/shop.routes prefix=/asks;
        auth_request /auth;
        proxy_pass %%UPSTREAM%%;
    }
    location = /auth { internal; mesh_authenticate off; mesh_platform off; proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_pass %%UPSTREAM%%; }
    location /asks-judged/ {
        mesh_platform file=%%DIR%%/shop.routes prefix=/asks-judged;
        auth_request /mirror-b/b;
        proxy_pass %%UPSTREAM%%;
    }
    location /slow/ {
        mesh_platform file=%%DIR%%/shop.routes prefix=/slow;
        limit_req zone=all burst=20;
        proxy_pass %%UPSTREAM%%;
    }
    location /fallback/ {
        mesh_platform file=%%DIR%%/shop.routes prefix=/fallback;
        root %%DIR%%;
        try_files /nothing /slow/a;
    }
    location /dry/ {
        mesh_platform file=%%DIR%%/shop.routes prefix=/dry;
        mesh_dry_run policy;
        mesh_body_inspect 64;
        mesh_body_timeout 1s;
        client_body_buffer_size 1k;
        proxy_pass %%UPSTREAM%%;
    }
    location /dry-first/ {
        mesh_platform file=%%DIR%%/shop.routes prefix=/dry-first;
        mesh_dry_run policy;
        root %%DIR%%;
        try_files /nothing /b;
    }
}
CONF

my $token = token(subject => 'etl');
my $json = 'Content-Type: application/json';

sub post ($target, $body, @headers) {
    return $server->request('POST', $target, body => $body, headers => [bearer_of($token), $json, @headers]);
}

sub post_in_chunks ($target, $body, @headers) {
    my $client = $server->connect;
    $client->send(head("POST $target", $token, $json, 'Transfer-Encoding: chunked', 'Connection: close', @headers) . chunks($body));
    return $client->response;
}

sub method_of ($response) { return ($response->{body} =~ /\A(\S+ \S+)/)[0] }

subtest 'another location looks at another member' => sub {
    for my $post (\&post, \&post_in_chunks) {
        my $both = '{"a":"7","b":"7"}';
        for my $target ('/try/a', '/small/a') {
            my $response = $post->($target, $both);
            is method_of($response), 'POST /b', "$target: the other row allows as well";
            is arrived_body($response), $both;
            is verdict($post->($target, '{"a":"7","b":"8"}')), '403 policy_denied', 'the other row does not allow';
            is verdict($post->($target, '{"a":"8","b":"7"}')), '403 policy_denied', 'the first row does not allow';
            is verdict($post->($target, '{"a":"7"}')), '400 body_member_missing', 'the other row needs a member';
            is verdict($post->($target, '{"a":"7","b":"7","b":"7"}')), '400 request_ambiguous', '... once';
        }
    }
    my $large = '{"a":"7","b":"7","x":"' . 'x' x 5000 . '"}';
    is method_of(post('/try/a', $large)), 'POST /b', 'a larger one in memory';
    is verdict(post('/small/a', $large)), '413 body_too_large', 'one in a file';
    is verdict(post_in_chunks('/small/a', $large)), '413 body_too_large';
    $server->expect_log(qr/a client request body is buffered to a temporary file/);
    is method_of(post('/none-first/none', '{"b":"7"}')), 'POST /b', 'the first location needs no body';
    is verdict(post('/none-first/none', '{"b":"8"}')), '403 policy_denied';
};

subtest 'error pages and redirects of the upstream' => sub {
    for my $post (\&post, \&post_in_chunks) {
        for my $to ('404', '/b') {
            my $response = $post->('/page/a', '{"a":"7","b":"7"}', "X-To: $to");
            is method_of($response), 'GET /b', 'what goes upstream by another method is another row';
            is verdict($post->('/page/a', '{"a":"7","b":"8"}', "X-To: $to")), '403 policy_denied';
            is verdict($post->('/page/a', '{"a":"8","b":"7"}', "X-To: $to")), '403 policy_denied';
        }
        is method_of($post->('/page/a', '{"a":"7"}', 'X-To: 405')), 'GET /none', 'a row that needs no body';
        my $response = $post->('/page/a', '{"a":"7","b":"7"}', 'X-To: 409');
        is method_of($response), 'POST /page/a', 'a named location that reads it by another table';
        is arrived_body($response), '{"a":"7","b":"7"}';
        is verdict($post->('/page/a', '{"a":"7","b":"8"}', 'X-To: 409')), '403 policy_denied';
        is arrived_body($post->('/page/a', '{"a":"7","b":"8"}', 'X-To: 410')), '{"a":"7","b":"8"}', 'one that asks nothing';
        is arrived_body($post->('/down/a', '{"a":"7","b":"7"}')), '{"a":"7","b":"7"}', 'an upstream that is down';
        is verdict($post->('/down/a', '{"a":"7","b":"8"}')), '403 policy_denied';
    }
    $server->expect_log(qr/connect\(\) failed/);
};

subtest 'a body that was read before' => sub {
    for my $post (\&post, \&post_in_chunks) {
        for my $to ('/b', '409') {
            my $target = $to eq '/b' ? '/open/x' : '/open/b';
            is arrived_body($post->($target, '{"b":"7"}', "X-To: $to")), '{"b":"7"}', 'is walked';
            is verdict($post->($target, '{"b":"8"}', "X-To: $to")), '403 policy_denied';
            is verdict($post->($target, 'x', "X-To: $to")), '400 body_malformed';
        }
        is verdict($post->('/open/x', '{"b":"7","x":"' . 'x' x 60_000 . '"}', 'X-To: /b')), '413 body_too_large', 'from a file';
    }
    # While the upstream that leads elsewhere still gets it.
    for my $part ('', '{"b":', '{"b":"7"') {
        for my $field ('Content-Length: 9', 'Transfer-Encoding: chunked') {
            my $bytes = $field =~ /chunked/ && length $part ? sprintf "%x\r\n%s\r\n", length $part, $part : $part;
            my $client = $server->connect->send(head('POST /stream/x', $token, $json, $field, 'X-To: /b', 'X-Early: 1') . $bytes);
            is verdict($client->response), '503 body_unavailable', 'one that is still on its way';
        }
    }
    # A handler that threw it away.
    mkdir "$dir/discard";
    spew("$dir/discard/b", 'x');
    my $client = $server->connect->send(head('POST /discard/b', $token, $json, 'Range: bytes=9-', 'Content-Length: 9'));
    is $client->response->{status}, 405, 'a handler that reads nothing';
    for my $sent ('', '{"b":', '{"b":"7"}') {
        $client = $server->connect->send(head('GET /discard/b', $token, $json, 'Range: bytes=9-', 'Content-Length: 9') . $sent);
        like verdict($client->response), qr/^(400 body_member_missing|503 body_unavailable)$/, 'one that was thrown away';
    }
};

subtest 'satisfy any' => sub {
    my $basic = 'Authorization: Basic dXNlcjpwYXNzd29yZA==';
    my $any = sub ($body, @headers) {
        $server->request('POST', '/any/a', body => $body, headers => [$json, @headers]);
    };
    my $large = '{"a":"8","x":"' . 'x' x 30_000 . '"}';
    is arrived_body($any->('{"a":"7"}', "X-Token: $token")), '{"a":"7"}', 'a token';
    is $any->('{"a":"7"}')->{status}, 401, 'nothing';
    ok arrived_body($any->($large, $basic)) eq $large, 'a password instead: the body was not touched';
    ok arrived_body($any->($large, $basic, 'X-Token: x.y.z')) eq $large, '... with a bad token';
    is verdict($any->('{"a":"8"}', $basic, "X-Token: $token")), '403 policy_denied', 'a denial is final';
    is verdict($any->('x', $basic, "X-Token: $token")), '400 body_malformed';
    # A token that ends while the body comes.
    for my $sent ('{"a":"7"}', '!"a":"7"}') {
        my $brief = token(issuer => 'https://brief.example', subject => 'etl', expires => '4s', claims => { jti => $sent });
        my $client = $server->connect->send(join "\r\n", 'POST /any/a HTTP/1.1', 'Host: localhost', $basic, "X-Token: $brief", $json,
            'Expect: 100-continue', 'Content-Length: 9', '', '');
        ok wait_for_100($client), 'the body is waited for';
        is_soon(sub { verdict($server->get('/none', bearer_of($brief))) }, '401 token_expired', 'the token ends');
        my $response = $client->send($sent)->response;
        if ($sent =~ /!/) { is verdict($response), '401 token_expired', 'of a part of a body nobody else decides' }
        else { is arrived_body($response), $sent, 'the password is left' }
    }
};

subtest 'copies and questions' => sub {
    for my $post (\&post, \&post_in_chunks) {
        unlink "$dir/mirrored";
        is arrived_body($post->('/mirror/a', '{"a":"7"}')), '{"a":"7"}', 'a mirror';
        wait_until('copy', sub { slurp("$dir/mirrored", '') eq '{"a":"7"}' });
        is verdict($post->('/mirror/a', '{"a":"8"}')), '403 policy_denied';
        unlink "$dir/mirrored";
        is arrived_body($post->('/mirror-judged/a', '{"a":"7","b":"7"}')), '{"a":"7","b":"7"}', 'one that would need the body itself';
        is arrived_body($post->('/asks/a', '{"a":"7"}')), '{"a":"7"}', 'auth_request';
        is verdict($post->('/asks/a', '{"a":"8"}')), '403 policy_denied';
        isnt $post->('/asks-judged/a', '{"a":"7","b":"7"}')->{status}, 200, 'one whose question would need the body';
    }
    ok !-e "$dir/mirrored", 'the copy was refused';
    $server->expect_log(qr/auth request unexpected status/);
};

subtest 'requests that are delayed' => sub {
    my @clients;
    for my $job (7, 8, 7, 8) {
        my $body = qq({"a":"$job"});
        push @clients, $server->connect->send(head('POST /slow/a', $token, $json, 'Content-Length: 9') . substr $body, 0, 4);
        $clients[-1]->send(substr $body, 4);
        push @clients, $server->connect->send(head('POST /slow/a', $token, $json, 'Transfer-Encoding: chunked') . chunks($body));
    }
    is_deeply [map { verdict($_->response) } @clients], [('200', '200', '403 policy_denied', '403 policy_denied') x 2], 'before';
    @clients = map { $server->connect->send(head('POST /fallback/a', $token, $json, 'Content-Length: 9') . '{"a":"7"}') } 1 .. 4;
    is_deeply [map { arrived_body($_->response) } @clients], [('{"a":"7"}') x 4], 'after';
    $server->expect_log(qr/delaying request/);
};

subtest 'a dry run' => sub {
    my $large = '{"a":"7","x":"' . 'x' x 5000 . '"}';
    for my $post (\&post, \&post_in_chunks) {
        is $post->('/dry/a', '{"a":"7"}')->{headers}{reason}, undef, 'nothing to note';
        for (['413' => $large, 'body_too_large'], ['413 of nothing' => ' ' x 100_000, 'body_too_large'],
            ['400' => "!$large" =~ s/.{5000}\z//r, 'body_malformed'], ['403' => '{"a":"8"}', 'policy_denied'],
            ['a name' => '{"x":1}', 'body_member_missing']) {
            my ($name, $body, $reason) = @$_;
            my $response = $post->('/dry/a', $body);
            is verdict($response), "200 $reason", "a refusal by $name";
            ok arrived_body($response) eq $body, '... goes upstream as it came';
        }
        my $response = $post->('/dry/a', '{"a":"8"}', 'Content-Encoding: br');
        is verdict($response), '200 body_type_refused', 'a refusal by 415';
        is arrived_body($response), '{"a":"8"}';
        is verdict($post->('/dry-first/a', '!')), '400 body_malformed', 'what is let pass is refused elsewhere';
        is verdict($post->('/dry-first/a', '{"a":"8","b":"7"}')), '200', '... or not';
    }
    # One that is late.
    my $client = $server->connect->send(head('POST /dry/a', $token, $json, 'Expect: 100-continue', 'Content-Length: 9'));
    wait_for_100($client);
    my $other = $server->connect->send(head('POST /dry/a', $token, $json, 'Expect: 100-continue', 'Transfer-Encoding: chunked'));
    wait_for_100($other);
    # Nothing tells that its time is over: it must take no harm whenever that is.
    select undef, undef, undef, 1.5;
    my $response = $client->send('{"a":"7"}')->response;
    is verdict($response), '200 body_timeout';
    is arrived_body($response), '{"a":"7"}', 'a body that is late goes upstream';
    $response = $other->send(chunks('{"a":"8"}'))->response;
    is arrived_body($response), '{"a":"8"}';
    $server->await_log(qr/mesh refuses \(dry run\), reason: body_timeout/);
};

$server->stop;
done_testing;
