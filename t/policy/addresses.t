# Addresses in answers lead back to the gateway: each is followed, and without the lines of nginx-conf/
# that rewrite it, it would lead past.

use v5.36;

use lib 't/lib';

use JSON::PP qw(decode_json);
use Test::More;

use Test::Mesh::Client;
use Test::Mesh::Credentials qw(project_dir);
use Test::Mesh::Example;
use Test::Mesh::File;
use Test::Mesh::Response qw(verdict);
use Test::Mesh::Upstream qw(read_head);

my $prefix = Test::Mesh::Example::new_prefix();
my $run = '0d5f6a6a-0000-4000-8000-000000000001';

# Starts an example whose upstream gives that answer, without the lines that match.
sub start ($conf, $upstream, $answer, $without = undef, $edit = undef) {
    return Test::Mesh::Example->start(
        prefix => $prefix, conf => "$conf.conf", upstream => $upstream, answer => $answer,
        certificate => "$prefix/tls/upstream",
        edit => sub ($text) {
            $edit->($text) if $edit;
            !defined $without || $$text =~ s/^ *(?:$without)\b.*\n//mg or die "no line $without";
        });
}

sub is_followed ($example, $address, $name, @request) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($host, $target) = $address =~ m{\Ahttps://([^/]+)(/.*)\z} or return fail("$name: no address $address");
    is($host, $example->host, "$name leads to the gateway");
    $example->heard;
    my $response = $example->request(GET => $target, @request);
    my ($head) = $example->heard;
    is($response->{status}, 200, '... which allows to follow it');
    like($head // '', qr/^GET \Q$target\E HTTP.*^X-Mesh-Service: \S/ms, '... as a request of the service');
    return;
}

sub leads_to ($address, $host, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    like($address // '', qr{\Ahttps?://\Q$host\E[/:]}, "without the lines, $name leads past the gateway");
    return;
}

# === Synapse ===

my $workspace = 'https://contoso.dev.azuresynapse.net';

# What the workspace answers to a request, by its path.
sub synapse ($example, $head) {
    my $later = "operationResults/$run?api-version=2020-12-01";
    my %fields = (
        'PUT /pipelines/load_a' => "Location: $workspace/$later\r\n",
        'PUT /pipelines/load_b' => "Location: /$later\r\n",
        'PUT /pipelines/load_c' => "Location: https://elsewhere.example/$later\r\n",
        'PUT /notebooks/load_a' => "Operation-Location: $workspace/$later\r\n",
        'PUT /notebooks/load_b' => "Operation-Location: /$later\r\n",
        'PUT /notebooks/load_c' => "Operation-Location: //elsewhere.example/$later\r\n",
        'PUT /notebooks/load_d' => "Operation-Location: elsewhere\r\n",
        'PUT /datasets/load_a' => "Azure-AsyncOperation: $workspace/$later\r\n",
    );
    my ($asked) = $head =~ /\A(\S+ [^? ]+)/;
    return ("HTTP/1.1 202 Accepted\r\n$fields{$asked}", '{}') if $fields{$asked};
    my ($how) = $head =~ /[?&]how=([^& ]+)/;
    my %page = (
        tight => qq({"value":[],"nextLink":"$workspace/pipelines?page=2"}),
        loose => qq({"value": [], "nextLink": "$workspace/pipelines?page=2"}),
        port => qq({"value":[],"nextLink":"$workspace:443/pipelines?page=2"}),
        spaced => qq({"value": [], "nextLink": "$workspace:443/pipelines?page=2"}),
        case => qq({"value":[],"nextLink":"HTTPS://Contoso.dev.azuresynapse.net/pipelines?page=2"}),
        own => qq({"url":"$workspace/pipelines/load_a"}),
    );
    return ("Content-Type: application/json; charset=utf-8\r\n", $page{ $how // 'none' } // '{}');
}

sub as_engineer ($example) {
    return (certificate => 'spiffe', token => $example->token(subject => 'ann', claims => '{"groups":["data-eng"]}'));
}

my @json = (headers => ['Content-Type: application/json'], body => '{}');

subtest 'a poller of Synapse asks the gateway' => sub {
    my $example = start('synapse', '10.20.0.5:443', \&synapse);
    my @with = as_engineer($example);
    my $field = sub ($target, $name) { $example->request(PUT => $target, @with, @json)->{headers}{$name} };
    is_followed($example, $field->('/pipelines/load_a', 'location'), 'Location', @with);
    is_followed($example, $field->('/pipelines/load_c', 'location'), 'Location of any host', @with);
    is_followed($example, $field->('/notebooks/load_a', 'operation-location'), 'Operation-Location', @with);
    is_followed($example, $field->('/notebooks/load_c', 'operation-location'), '... of any host', @with);
    is_followed($example, $field->('/datasets/load_a', 'azure-asyncoperation'), 'Azure-AsyncOperation', @with);
    like($field->('/notebooks/load_b', 'operation-location'), qr{\A/operationResults/}, 'a path stays one');
    is($field->('/notebooks/load_d', 'operation-location'), undef, 'what is no address is not sent on');
    $example->stop;

    $example = start('synapse', '10.20.0.5:443', \&synapse, 'proxy_redirect|proxy_hide_header|add_header');
    @with = as_engineer($example);
    my %hosts = ('pipelines/load_a' => 'location', 'notebooks/load_a' => 'operation-location', 'datasets/load_a' => 'azure-asyncoperation');
    leads_to($field->("/$_", $hosts{$_}), 'contoso.dev.azuresynapse.net', $hosts{$_}) for sort keys %hosts;
    $example->stop;
};

subtest 'the next page of Synapse is one of the gateway' => sub {
    my $example = start('synapse', '10.20.0.5:443', \&synapse);
    my @with = as_engineer($example);
    my $page = sub ($how) { decode_json($example->request(GET => "/pipelines?how=$how", @with)->{body}) };
    is_followed($example, $page->($_)->{nextLink}, "nextLink, $_", @with) for qw(tight loose port spaced case);
    is($page->('own')->{url}, "$workspace/pipelines/load_a", 'what a pipeline says itself stays');
    my ($head) = $example->heard;
    unlike($head, qr/^Accept-Encoding:/mi, 'no compressed answer is asked for');
    $example->stop;

    $example = start('synapse', '10.20.0.5:443', \&synapse, 'sub_filter');
    @with = as_engineer($example);
    leads_to($page->($_)->{nextLink}, 'contoso.dev.azuresynapse.net', 'nextLink') for qw(tight loose);
    $example->stop;
};

# === Kafka REST ===

# An instance, as the servers make its address.
sub kafka ($example, $head) {
    my ($path) = $head =~ m{\A\S+ ([^? ]+)};
    my ($host, $proto, $forwarded) = map { ($head =~ /^\Q$_\E: (.*?)\r$/mi)[0] } qw(Host X-Forwarded-Proto X-Forwarded-Host);
    my $itself = $example->upstream;
    my %base = (
        '/consumers/ledger-confluent' => "http://$host",
        '/consumers/ledger-itself' => "http://$itself",
        '/consumers/ledger-strimzi' => defined $forwarded ? "$proto://$forwarded" : "http://$itself",
    );
    return ("Content-Type: application/vnd.kafka.json.v2+json\r\n", qq([{"value":"http://$itself/","topic":"orders.eu"}]))
        if $path =~ /records$/;
    return ("Content-Type: application/json\r\n", qq({"metadata":{"self":"http://$host$path"},"data":[]})) if $path =~ /^\/v3/;
    my $base = $base{$path} // return ('', '');
    return ("Content-Type: application/vnd.kafka.v2+json\r\n", qq({"instance_id":"i-1","base_uri":"$base$path/instances/i-1"}));
}

# The file's address of Kafka REST is that of the upstream here.
sub know_itself ($text) {
    $$text =~ s/set \$kafka_rest \K127\.0\.0\.1:8082/%%UPSTREAM%%/ or die;
    return;
}

# Follows an address as a consumer does, wherever it leads: who answers, and whether it asked for a token.
sub consume ($address) {
    my ($tls, $port, $target) = $address =~ m{\Ahttp(s?)://[^/:]+:(\d+)(/.*)\z} or die $address;
    my $client = Test::Mesh::Client->connect(port => $port, $tls ? (tls => { ca => "$prefix/certificates/ca.pem" }) : ());
    my $response = $client->request(GET => "$target/records", headers => ['Host: localhost']);
    $client->close;
    return $response->{status};
}

my @consumer = (headers => ['Content-Type: application/vnd.kafka.v2+json'], body => '{"format":"json"}');

sub base_uri ($example, $group, @more) {
    my @with = (token => $example->token(subject => 'ledger'));
    my $response = $example->request(POST => "/consumers/ledger-$group", @with, headers => [$consumer[1][0], @more], body => $consumer[3]);
    return decode_json($response->{body})->{base_uri};
}

subtest 'an instance of a consumer is read through the gateway' => sub {
    my $example = start('kafka-rest', '127.0.0.1:8082', \&kafka, undef, \&know_itself);
    my @with = (token => $example->token(subject => 'ledger'));
    for my $group (qw(confluent itself strimzi)) {
        my $address = base_uri($example, $group);
        is(consume($address), 401, "base_uri of $group leads where a token is asked for");
        $address =~ s/\z/\/records/;
        is_followed($example, $address, "base_uri of $group", @with);
    }
    my @lies = ('X-Forwarded-Host: elsewhere.example', 'X-Forwarded-Proto: http', 'X-Forwarded-Path: /elsewhere', 'Forwarded: host=elsewhere.example');
    is(base_uri($example, 'strimzi', @lies), base_uri($example, 'strimzi'), 'a client cannot choose it');
    my ($head) = reverse $example->heard;
    unlike($head, qr/elsewhere/, '... nor does the server hear of it');
    my $records = $example->request(GET => '/consumers/ledger-1/instances/i-1/records', @with)->{body};
    is(decode_json($records)->[0]{value}, 'http://' . $example->upstream . '/', 'records stay what they are');
    $example->stop;

    $example = start('kafka-rest', '127.0.0.1:8082', \&kafka, 'sub_filter|proxy_set_header X-Forwarded-Host', \&know_itself);
    for my $group (qw(itself strimzi)) {
        $example->heard;
        is(consume(base_uri($example, $group)), 200, "without the lines, base_uri of $group leads past the gateway");
        my ($head) = reverse $example->heard;
        unlike($head, qr/X-Mesh/, '... where nobody asks who reads');
    }
    like(base_uri($example, 'confluent'), qr{\Ahttp://}, '... and that of Confluent to no TLS');
    $example->stop;
};

subtest 'what version 3 refers to is at the gateway' => sub {
    my $office = sub ($text) {
        $$text =~ s/^http \{\K/\nset_real_ip_from 127.0.0.1; real_ip_header X-Test-Address;/m or die;
    };
    my $example = start('kafka-rest', '127.0.0.1:8082', \&kafka, undef, $office);
    my @admin = (headers => ['X-Test-Address: 10.0.0.1'],
        token => $example->token(subject => 'ann', claims => '{"groups":["kafka-admins"],"amr":["mfa"]}'));
    my $answer = decode_json($example->request(GET => '/v3/clusters/lkc-1/topics', @admin)->{body});
    is_followed($example, $answer->{metadata}{self}, '"self"', @admin);
    $example->stop;
};

# Two proxies, each of which says which it is.
sub proxies_of ($without) {
    my @proxies = map {
        my $name = $_;
        Test::Mesh::Upstream->start(processes => 1, answer => sub ($socket) {
            my ($head) = read_head($socket) or return;
            print {$socket} "HTTP/1.1 200 OK\r\nX-Proxy: $name\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        });
    } 1, 2;
    my $example = start('kafka-rest', '127.0.0.1:8082', undef, $without, sub ($text) {
        my $servers = join ' ', map { 'server 127.0.0.1:' . $_->port . ';' } @proxies;
        $$text =~ s/^    upstream kafka_rest \{.*?\K server 127[^;]+;/ $servers/ms or die;
    });
    my @with = (token => $example->token(subject => 'ledger'));
    my %seen;
    for my $group (map { "ledger-$_" } 1 .. 20) {
        my @answers = $example->request(POST => "/consumers/$group", @with, @consumer);
        push @answers, $example->request(GET => "/consumers/$group/instances/i-$_/records", @with) for 1 .. 3;
        $seen{ join ' ', map { $_->{headers}{'x-proxy'} // verdict($_) } @answers }++;
    }
    $example->stop;
    $_->stop for @proxies;
    return sort keys %seen;
}

subtest 'instances of a group stay at the proxy that made them' => sub {
    is_deeply([proxies_of(undef)], ['1 1 1 1', '2 2 2 2'], 'each group has one proxy, and both are used');
    isnt(join(',', proxies_of('hash')), '1 1 1 1,2 2 2 2', 'without the line they are asked in turn');
};

# === Databricks ===

my $databricks = 'https://adb-1234567890123456.7.azuredatabricks.net';

sub databricks ($example, $head) {
    my $json = "Content-Type: application/json\r\n";
    return ($json, qq({"oidc_endpoint":"$databricks/oidc"})) if $head =~ m{^GET /\.well-known/};
    return ($json, qq({"url":"https://store.example/x?sig=s"})) if $head =~ m{^POST /api/2\.0/fs/create-download-url};
    return ("HTTP/1.1 302 Found\r\nLocation: $databricks/api/2.2/jobs/get?job_id=42\r\n", '') if $head =~ m{^GET /api/2\.1/jobs/get};
    return ($json, '{}');
}

subtest 'a client of Databricks discovers the gateway' => sub {
    my $example = start('databricks', '10.20.0.4:443', \&databricks);
    my $config = $example->request(GET => '/.well-known/databricks-config');
    is($config->{headers}{'content-type'}, 'application/json', 'who has no token yet is answered');
    my $discovered = decode_json($config->{body});
    is($discovered->{oidc_endpoint}, 'https://' . $example->host . '/oidc', 'by the gateway\'s own address');
    is($discovered->{workspace_id}, undef, 'without an ID that would add fields to each request');
    my $endpoints = decode_json($example->request(GET => '/oidc/.well-known/oauth-authorization-server')->{body});
    for my $name (qw(token_endpoint authorization_endpoint)) {
        like($endpoints->{$name}, qr{\Ahttps://\Q@{[$example->host]}\E/oidc/v1/}, "$name is at the gateway");
    }
    my ($token_endpoint) = $endpoints->{token_endpoint} =~ m{(/oidc/.*)};
    my $response = $example->is_refused(401, 'where no token of the workspace is handed out', POST => $token_endpoint,
        headers => ['Content-Type: application/x-www-form-urlencoded'], body => 'grant_type=client_credentials');
    is(decode_json($response->{body})->{error}, 'invalid_client', 'which clients are told as they read it');
    is_deeply([$example->heard], [], 'the workspace hears nothing of all this');
    $example->stop;

    my $edit = sub ($text) { $$text =~ s/^        location = \/(?:\.well-known|oidc)\/.*?^        \}\n//msg or die };
    $example = start('databricks', '10.20.0.4:443', \&databricks, undef, $edit);
    leads_to(decode_json($example->request(GET => '/.well-known/databricks-config')->{body})->{oidc_endpoint},
        'adb-1234567890123456.7.azuredatabricks.net', 'what clients discover');
    $example->stop;
};

subtest 'files of Databricks do not leave by presigned addresses' => sub {
    my $ask = sub ($example) {
        my @with = (token => $example->token(subject => 'ann', claims => '{"groups":["data-eng"]}'));
        return ($example->request(POST => '/api/2.0/fs/create-download-url?path=/Volumes/main/etl/a', @with), @with);
    };
    my $example = start('databricks', '10.20.0.4:443', \&databricks);
    my ($response, @with) = $ask->($example);
    is($response->{status}, 403, 'none is made');
    is(decode_json($response->{body})->{error_code}, 'PERMISSION_DENIED', '... whereupon the SDK asks for the file itself');
    is_followed($example, 'https://' . $example->host . '/api/2.0/fs/files/Volumes/main/etl/a', 'which', @with);
    $example->stop;

    my $policy = slurp("$prefix/policies/databricks.yaml");
    $policy =~ s/files: \["[^"]+"\], actions: \[read\K/, vend/ or die;
    spew("$prefix/policies/vends.yaml", $policy);
    my $vends = sub ($text) { $$text =~ s/mesh_policy policies\/\Kdatabricks/vends/ or die };
    $example = start('databricks', '10.20.0.4:443', \&databricks, undef, $vends);
    ($response) = $ask->($example);
    leads_to(decode_json($response->{body})->{url}, 'store.example', 'a presigned address that somebody is granted');
    $example->stop;
};

# === Redirects ===

subtest 'a redirect of Databricks and dbt Cloud comes back' => sub {
    my $dbt = sub ($example, $head) {
        my ($path) = $head =~ m{\A\S+ (\S+)};
        return $path =~ m{/\z} ? ('', '{}') : ("HTTP/1.1 301 Moved\r\nLocation: https://ab123.us1.dbt.com$path/\r\n", '');
    };
    my @rows = (
        ['databricks', '10.20.0.4:443', \&databricks, 'nightly-etl', '/api/2.1/jobs/get?job_id=42', 'adb-1234567890123456.7.azuredatabricks.net'],
        ['dbt-cloud', '10.20.0.6:443', $dbt, 'airflow', '/api/v2/accounts/1/jobs/22', 'ab123.us1.dbt.com'],
    );
    for my $row (@rows) {
        my ($conf, $upstream, $answer, $service, $target, $host) = @$row;
        my $location = sub ($example) {
            my @with = (token => $example->token(subject => $service));
            return ($example->request(GET => $target, @with)->{headers}{location}, @with);
        };
        my $example = start($conf, $upstream, $answer);
        my ($address, @with) = $location->($example);
        is_followed($example, $address, "a redirect of $conf", @with);
        $example->stop;
        $example = start($conf, $upstream, $answer, 'proxy_redirect');
        ($address) = $location->($example);
        leads_to($address, $host, "a redirect of $conf");
        $example->stop;
    }
};

done_testing;
