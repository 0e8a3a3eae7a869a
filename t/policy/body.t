# What a request asks for may be told by its body, which goes upstream as it came.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;

use Test::Mesh::Body;
use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream qw(echo_all read_head);

my $dir = tempdir('policy-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
spew("$dir/policy.yaml", <<'POLICY');
version: 1
services:
  etl: [ { issuer: idp, service: etl } ]
roles:
  runner:
    - databricks: { jobs: ["42"], actions: [run, read, delete] }
    - databricks: { paths: ["/Shared/*"], actions: [write] }
    - databricks: { files: ["/Volumes/c/s/v/**"], actions: [write] }
    - databricks: { warehouses: [w], actions: [use, delete] }
    - kafka: { topics: [orders], actions: [produce] }
    - shop: { orders: ["7"], actions: [write] }
bindings:
  - { name: night, role: runner, services: [etl] }
POLICY
spew("$dir/shop.routes", <<'TABLE');
platform shop
kind order form=plain actions=read,write
POST /shop/form shop.form order:write body:/id | body=form
POST /shop/parts shop.parts order:write body:/id | body=multipart
POST /shop/any shop.any order:write body:/id?all | body=json,form
TABLE

my $upstream = Test::Mesh::Upstream->start(answer => \&echo_all);
# Tells that a request has come before its body has, and answers once the body is there.
my $early = Test::Mesh::Upstream->start(answer => sub ($socket) {
    my ($head, $body) = read_head($socket) or return;
    spew("$dir/early", $head);
    my ($length) = $head =~ /^Content-Length: (\d+)/mi;
    my $count = length $body;
    while ($count < $length) { $count += sysread($socket, my $more, 65536) || return }
    print {$socket} "HTTP/1.1 200 OK\r\nContent-Length: @{[length $count]}\r\nConnection: close\r\n\r\n$count";
});
my $server = Test::Mesh::Server->start(
    <<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr =~ s/%%EARLY%%/$early->url/egr =~ s/%%DIR%%/$dir/gr);
include %%KEYS%%/issuers.conf;
mesh_policy %%DIR%%/policy.yaml;
add_header Reason $mesh_reason always;
client_max_body_size 64m;
server {
    listen 127.0.0.1:%%PORT%%;
    %%TLS%%
    mesh_authenticate token;
    mesh_platform databricks;
    location / { proxy_pass %%UPSTREAM%%; }
    location /small/ {
        mesh_platform databricks prefix=/small;
        client_body_buffer_size 1k;
        proxy_pass %%UPSTREAM%%;
    }
    location /in-file/ {
        mesh_platform databricks prefix=/in-file;
        client_body_in_file_only clean;
        proxy_pass %%UPSTREAM%%;
    }
    location /single/ {
        mesh_platform databricks prefix=/single;
        client_body_in_single_buffer on;
        client_body_buffer_size 1k;
        proxy_pass %%UPSTREAM%%;
    }
    location /bound/ {
        mesh_platform databricks prefix=/bound;
        mesh_body_inspect 64;
        client_body_buffer_size 1k;
        proxy_pass %%UPSTREAM%%;
    }
    location /unbuffered/ {
        mesh_platform databricks prefix=/unbuffered;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass %%UPSTREAM%%;
    }
    location /api/2.0/fs/ {
        proxy_request_buffering off;
        mesh_body_inspect 64;
        proxy_pass %%EARLY%%;
    }
    location /topics/ {
        mesh_platform kafka_rest;
        proxy_request_buffering off;
        mesh_body_inspect 64;
        proxy_pass %%EARLY%%;
    }
    location /shop/ {
        mesh_platform file=%%DIR%%/shop.routes;
        proxy_pass %%UPSTREAM%%;
    }
}
CONF

my $token = token(subject => 'etl');
my $json = 'Content-Type: application/json';
my $run = 'POST /api/2.1/jobs/run-now';

sub length_of ($body) { return 'Content-Length: ' . length $body }

# One request: its line, its body, and header lines.
sub ask ($line, $body, @headers) {
    my ($method, $target) = split / /, $line;
    return $server->request($method, $target, body => $body, headers => [bearer_of($token), @headers]);
}

# The same in chunks.
sub ask_in_chunks ($line, $body, @headers) {
    my $client = $server->connect;
    $client->send(head($line, $token, 'Transfer-Encoding: chunked', 'Connection: close', @headers) . chunks($body));
    return $client->response;
}

subtest 'a member of the body decides, and the body goes upstream' => sub {
    for my $ask (\&ask, \&ask_in_chunks) {
        my $response = $ask->($run, '{"job_id": 42}', $json);
        is verdict($response), '200', 'a job of the policy';
        is arrived_body($response), '{"job_id": 42}';
        is_deeply [arrived($response, 'Content-Length')], [14], '... with its length';
        is verdict($ask->($run, '{"job_id": 43}', $json)), '403 policy_denied', 'another job';
    }
};

subtest 'a byte at a time' => sub {
    for my $job (42, 43) {
        my $body = qq({ "x": [1, {"job_id": 1}], "job\\u005fid": "$job" });
        my $expected = $job == 42 ? '200' : '403 policy_denied';
        for ([length_of($body), $body], ['Transfer-Encoding: chunked', chunks($body, 1)]) {
            my ($field, $bytes) = @$_;
            my $client = $server->connect;
            $client->socket->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
            $client->send(head($run, $token, $json, $field));
            my $response = send_slowly($client, $bytes)->response;
            is verdict($response), $expected, "$job by $field";
            is arrived_body($response), $body if $job == 42;
        }
    }
};

subtest 'a body that lies in a file' => sub {
    for my $size (900, 1500, 50_000, 900_000) {
        for my $ask (\&ask, \&ask_in_chunks) {
            for my $job (42, 43) {
                my $body = qq({"x":") . 'x' x $size . qq(","job_id":$job});
                my $response = $ask->('POST /small/api/2.1/jobs/run-now', $body, $json);
                is verdict($response), $job == 42 ? '200' : '403 policy_denied', "$size bytes";
                ok arrived_body($response) eq $body, '... arrive' if $job == 42;
            }
        }
    }
    $server->expect_log(qr/a client request body is buffered to a temporary file/);
};

subtest 'wherever Nginx keeps it' => sub {
    for my $place ('in-file', 'single') {
        for my $size (10, 5000) {
            for my $ask (\&ask, \&ask_in_chunks) {
                my $body = qq({"x":") . 'x' x $size . '","job_id":42}';
                ok arrived_body($ask->("POST /$place/api/2.1/jobs/run-now", $body, $json)) eq $body, "$place: $size bytes";
                is verdict($ask->("POST /$place/api/2.1/jobs/run-now", $body =~ s/42/43/r, $json)), '403 policy_denied';
            }
        }
    }
};

subtest 'HTTP/1.0' => sub {
    for my $job (42, 43) {
        my $body = qq({"job_id":$job});
        my $answer = $server->raw(head($run, $token, $json, length_of($body)) =~ s/HTTP\/1.1/HTTP\/1.0/r . $body);
        like $answer, $job == 42 ? qr/\AHTTP\/1.1 200 .*\r\n\r\n\Q$body\E\z/s : qr/\AHTTP\/1.1 403 /, "job $job";
    }
    my $answer = $server->raw(head($run, $token, $json) =~ s/HTTP\/1.1/HTTP\/1.0/r . '{"job_id":42}');
    like $answer, qr/\AHTTP\/1.1 400 .*Reason: body_member_missing/s, 'without a length there is no body';
};

subtest 'TLS' => sub {
    my $client = $server->connect(port => 'tls', tls => tls());
    my $large = '{"x":"' . 'x' x 200_000 . '","job_id":42}';
    for my $body ('{"job_id":42}', '{"job_id":43}', $large, $large =~ s/42/43/r) {
        for ([length_of($body), $body], ['Transfer-Encoding: chunked', chunks($body, 16_000)]) {
            my ($field, $bytes) = @$_;
            $client->send(head($run, $token, $json, $field, 'Expect: 100-continue'));
            ok wait_for_100($client), $field;
            $client->send($_) for unpack '(a3)5a*', $bytes;
            my $response = $client->response;
            is verdict($response), $body =~ /42/ ? '200' : '403 policy_denied';
            ok arrived_body($response) eq $body if $body =~ /42/;
        }
    }
    $client->send(head($run, $token, $json, 'Content-Length: 100') . '{"job_id":42,"job_id":42');
    is verdict($client->response), '400 request_ambiguous';
    is eval { $client->rest } // '', '', 'the connection ends';
};

subtest 'methods that seldom have a body' => sub {
    my $get = 'GET /api/2.1/jobs/get';
    for my $line ($get, 'HEAD /api/2.1/jobs/get') {
        for my $ask (\&ask, $line =~ /HEAD/ ? () : \&ask_in_chunks) {
            is $ask->($line, '{"job_id":42}', $json)->{status}, 200, $line;
            is $ask->($line, '{"job_id":43}', $json)->{status}, 403, '... of another';
        }
    }
    my $response = ask($get, '{"job_id":42}', $json);
    is arrived_body($response), '{"job_id":42}', 'it goes upstream';
    is verdict(ask("$get?job_id=42", '{"job_id":43}', $json)), '400 request_ambiguous', 'two names';
    is verdict(ask("$get?job_id=42", undef)), '200', 'none';
    is verdict(ask("$get?job_id=42", '')), '200', 'an empty one';
    is verdict(ask_in_chunks("$get?job_id=42", '')), '200', 'an empty one of unknown length';
    is verdict(ask_in_chunks("$get?job_id=42", 'x')), '415 body_type_refused', '... and one that is not empty';
    my $delete = 'DELETE /api/2.0/sql/warehouses/w';
    is arrived_body(ask($delete, '{"id":"w"}', $json)), '{"id":"w"}', $delete;
    is verdict(ask($delete, '{"id":"v"}', $json)), '400 request_ambiguous', '... of another';
    is verdict(ask($delete, undef)), '200', '... without a body';
};

subtest 'without buffering' => sub {
    for my $ask (\&ask, \&ask_in_chunks) {
        my $response = $ask->('POST /unbuffered/api/2.1/jobs/run-now', '{"job_id":42}', $json);
        is verdict($response), '200';
        is arrived_body($response), '{"job_id":42}';
        is verdict($ask->('POST /unbuffered/api/2.1/jobs/run-now', '{"job_id":43}', $json)), '403 policy_denied';
    }
};

subtest 'forms' => sub {
    my $form = 'Content-Type: application/x-www-form-urlencoded';
    my $response = ask('POST /shop/form', 'x=1&id=7', $form);
    is verdict($response), '200';
    is arrived_body($response), 'x=1&id=7';
    is verdict(ask('POST /shop/form', 'id=8', $form)), '403 policy_denied';
    is verdict(ask('POST /shop/form', 'id=7&id=8', $form)), '400 request_ambiguous', 'twice';
    is verdict(ask('POST /shop/form', 'ID=8&id=7', $form)), '400 request_ambiguous', 'in another spelling';
    is verdict(ask('POST /shop/form', 'x=1', $form)), '400 body_member_missing';
    is verdict(ask('POST /shop/form', 'id=%zz', $form)), '400 body_malformed';
    is verdict(ask('POST /shop/form', '{"id":7}', $json)), '415 body_type_refused';
    is verdict(ask('POST /shop/any', 'id=7', $form)), '200';
    is verdict(ask('POST /shop/any', '{"id":"7"}', $json)), '200';
    is verdict(ask('POST /shop/any', '', $json)), '403 policy_denied', 'nothing is all';
};

subtest 'forms in parts' => sub {
    my $part = sub ($name, $value) { qq(--b\r\nContent-Disposition: form-data; name="$name"\r\n\r\n$value\r\n) };
    my $type = 'Content-Type: multipart/form-data; boundary=b';
    my $body = $part->('x', '1') . $part->('id', '7') . "--b--\r\n";
    for my $ask (\&ask, \&ask_in_chunks) {
        my $response = $ask->('POST /shop/parts', $body, $type);
        is verdict($response), '200';
        is arrived_body($response), $body;
    }
    is verdict(ask('POST /shop/parts', $part->('id', '8') . "--b--\r\n", $type)), '403 policy_denied';
    is verdict(ask('POST /shop/parts', $part->('id', '7') . $body, $type)), '400 request_ambiguous', 'twice';
    is verdict(ask('POST /shop/parts', $part->('Id', '8') . $body, $type)), '400 request_ambiguous', 'in another spelling';
    is verdict(ask('POST /shop/parts', $part->('x', '8') . "--b--\r\n", $type)), '400 body_member_missing';
    is verdict(ask('POST /shop/parts', $part->('id', '7'), $type)), '400 body_malformed', 'without an end';
};

subtest 'types and encodings' => sub {
    my $good = '{"job_id":42}';
    for my $type ('application/json', 'Application/JSON; charset=utf-8', 'text/json', 'application/x+json') {
        is verdict(ask($run, $good, "Content-Type: $type")), '200', $type;
    }
    for my $type ('text/plain', 'application/json; charset=utf-16', 'application/x-www-form-urlencoded', 'application/jsonx') {
        is verdict(ask($run, $good, "Content-Type: $type")), '415 body_type_refused', $type;
        is verdict(ask_in_chunks($run, $good, "Content-Type: $type")), '415 body_type_refused';
    }
    is verdict(ask($run, $good)), '415 body_type_refused', 'none';
    is verdict(ask_in_chunks($run, $good)), '415 body_type_refused', '... in chunks';
    is verdict(ask($run, $good, $json, 'Content-Type: text/plain')), '415 body_type_refused', 'two';
    is verdict(ask($run, $good, $json, 'Content-Encoding: gzip')), '415 body_type_refused', 'encoded';
    is verdict(ask($run, $good, $json, 'Content-Encoding: identity')), '200';
};

subtest 'bodies that are none, or may be read in two ways' => sub {
    for my $body ('{"job_id":42', '{"job_id":42}}', '{"job_id":42} x', '{"job_id":042}', '42', '[]', "{'job_id':42}",
        '{"job_id":[42]}', '{"job_id":{"x":42}}', "{\"job_id\":42,\"x\":\"\xff\"}") {
        for my $ask (\&ask, \&ask_in_chunks) {
            like verdict($ask->($run, $body, $json)), qr/^400 (body_malformed|name_malformed)$/, "body $body";
        }
    }
    for my $body ('{"job_id":42,"job_id":43}', '{"job_id":42,"job\u005fid":42}', '{"jobId":43,"job_id":42}',
        '{"Job_Id":43}', '{"job-id":43,"job_id":42}') {
        is verdict(ask($run, $body, $json)), '400 request_ambiguous', $body;
    }
    for my $body ('{}', '{"x":{"job_id":42}}', '{"job_id":null}') {
        is verdict(ask($run, $body, $json)), '400 body_member_missing', $body;
    }
    is verdict(ask($run, '')), '400 body_member_missing', 'none';
    is verdict(ask_in_chunks($run, '')), '400 body_member_missing', 'an empty one';
};

subtest 'the byte past the bound' => sub {
    my $bound = 'POST /bound/api/2.1/jobs/run-now';
    my $body = sub ($size) { my $body = '{"job_id":42}'; $body . ' ' x ($size - length $body) };
    for my $ask (\&ask, \&ask_in_chunks) {
        my $response = $ask->($bound, $body->(64), $json);
        is verdict($response), '200', 'the last byte';
        is arrived_body($response), $body->(64);
        is verdict($ask->($bound, $body->(65), $json)), '413 body_too_large', '... and the next';
    }
    # Before any of it is sent, and before 100.
    my $client = $server->connect;
    $client->send(head($bound, $token, $json, 'Content-Length: 65', 'Expect: 100-continue'));
    like $client->take(qr/\A.*?\r\n\r\n/s), qr/\AHTTP\/1.1 413 /, 'a length that is too much';
    # At the byte, while the rest is still to come.
    $client = $server->connect;
    $client->send(head($bound, $token, $json, 'Transfer-Encoding: chunked', 'Expect: 100-continue'));
    ok wait_for_100($client), 'chunks are waited for';
    $client->send("41\r\n" . $body->(65));
    my $response = $client->response;
    is verdict($response), '413 body_too_large', '... until one holds too much';
    is $response->{headers}{connection}, 'close';
    is $client->rest, '', 'then the connection ends';
    # Of what is not wanted, too.
    $client = $server->connect;
    $client->send(head($bound, $token, $json, 'Transfer-Encoding: chunked', 'Expect: 100-continue'));
    wait_for_100($client);
    $client->send("400000\r\n" . '{"x":"' . 'y' x 1000);
    is verdict($client->response), '413 body_too_large', 'a chunk that has only begun';
    # client_max_body_size is Nginx's own.
    is verdict(ask($run, '{"job_id":42,"x":"' . 'x' x 1_048_576 . '"}', $json)), '413 body_too_large', 'the default';
};

subtest 'Expect: 100-continue' => sub {
    my $expects = sub ($line, @headers) {
        return $server->connect->send(head($line, $token, $json, 'Expect: 100-continue', @headers));
    };
    my $client = $expects->($run, 'Content-Length: 13');
    ok wait_for_100($client), '100 if the body is needed';
    $client->send('{"job_id":42}');
    is arrived_body($client->response), '{"job_id":42}';
    is verdict($client->request('GET', '/api/2.1/jobs/get?job_id=42', headers => [bearer_of($token)])), '200', 'the connection goes on';
    my %refused = (
        'an unknown operation' => ['403', 'POST /api/2.1/jobs/nothing', 'Content-Length: 13'],
        'too large a body' => ['413', $run, 'Content-Length: 10000000'],
        'an encoding' => ['415', $run, 'Content-Length: 13', 'Content-Encoding: br'],
    );
    for my $name (sort keys %refused) {
        my ($status, @request) = $refused{$name}->@*;
        like $expects->(@request)->take(qr/\A.*?\r\n\r\n/s), qr/\AHTTP\/1.1 $status /, "no 100 for $name";
    }
    $client = $server->connect->send(head($run, token(subject => 'x'), $json, 'Expect: 100-continue', 'Content-Length: 13'));
    like $client->take(qr/\A.*?\r\n\r\n/s), qr/\AHTTP\/1.1 403 /, '... nor for one who may do nothing of the kind';
    $client = $server->connect->send(head($run, 'x', $json, 'Expect: 100-continue', 'Content-Length: 13'));
    like $client->take(qr/\A.*?\r\n\r\n/s), qr/\AHTTP\/1.1 401 /, '... nor without a token';
};

subtest "Thrift is known by its path alone" => sub {
    my $thrift = "\x80\x01\x00\x01\x00\x00\x00\x0bOpenSession\x00\x00\x00\x00";
    my $response = ask('POST /sql/1.0/warehouses/w', $thrift, 'Content-Type: application/x-thrift');
    is verdict($response), '200';
    is arrived_body($response), $thrift;
    is verdict(ask('POST /sql/1.0/warehouses/v', $thrift, 'Content-Type: application/x-thrift')), '403 policy_denied';
    is verdict(ask('POST /sql/1.0/warehouses/w', 'x' x 2_000_000, 'Content-Type: application/x-thrift')), '200', 'past the bound';
};

subtest 'streams are not held back' => sub {
    for (['PUT /api/2.0/fs/files/Volumes/c/s/v/x', 'PUT /api/2.0/fs/files/Volumes/c/s/w/x', 'application/octet-stream'],
        ['POST /topics/orders', 'POST /topics/payments', 'application/vnd.kafka.binary.v2+json']) {
        my ($line, $other, $type) = @$_;
        unlink "$dir/early";
        my $size = 8 * 1024 * 1024;
        my $client = $server->connect->send(head($line, $token, "Content-Type: $type", "Content-Length: $size"));
        $client->send('x' x 100_000);
        $server->await('request at the upstream', sub { -e "$dir/early" });
        pass "$line goes upstream while its body comes";
        $client->send('x' x ($size - 100_000));
        is $client->response->{body}, $size, '... and so does all of it';
        $client = $server->connect->send(head($other, $token, "Content-Type: $type", "Content-Length: $size"));
        is verdict($client->response), '403 policy_denied', 'another is refused before its body comes';
    }
};

subtest 'a request behind a body' => sub {
    my $get = head('GET /api/2.1/jobs/get?job_id=42', $token);
    my $other = head('GET /api/2.1/jobs/get?job_id=43', $token);
    for my $job (42, 43) {
        my $body = qq({"job_id":$job});
        for ([length_of($body), $body], ['Transfer-Encoding: chunked', chunks($body)]) {
            my ($field, $bytes) = @$_;
            my $client = $server->connect;
            $client->send(head($run, $token, $json, $field) . $bytes . $get . $other);
            my $expected = $job == 42 ? '200' : '403 policy_denied';
            is_deeply [map { verdict($client->response) } 1 .. 3], [$expected, '200', '403 policy_denied'], "$field: in one write";
            # The end of the body comes with the next request.
            $client->send(head($run, $token, $json, $field, 'Expect: 100-continue'));
            wait_for_100($client);
            $client->send(substr $bytes, 0, 5);
            $client->send(substr($bytes, 5) . $get . $other);
            is_deeply [map { verdict($client->response) } 1 .. 3], [$expected, '200', '403 policy_denied'], '... in the second write';
        }
    }
};

$server->stop;
done_testing;
