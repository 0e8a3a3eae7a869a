# The files in nginx-conf/ start as they are, and do what their comments say.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials qw(project_dir);
use Test::Mesh::Example;
use Test::Mesh::File qw(slurp);

my $prefix = Test::Mesh::Example::new_prefix();

for my $conf (map { s{.*/}{}r } glob project_dir() . '/nginx-conf/*.conf') {
    my ($status, $output) = Test::Mesh::Example::tested($prefix, $conf);
    is($status, 0, "$conf passes nginx -t") or diag($output);
    unlike($output, qr/\[(?:warn|error|crit|alert|emerg)\]/, "$conf passes it without a warning");
}

# === What is asked of each ===

# What every example does with tokens; `%with` is what a good request needs beside one.
sub tokens_are_verified ($example, $method, $target, %with) {
    my %token = %{ delete $with{token_options} // {} };
    my $good = $example->token(%token);
    my $head = $example->is_served('orders-api', 'a good token passes', $method, $target,
        %with, token => $good);
    unlike($head, qr/\Q$good\E/, 'the token stays at the gateway');
    like($head, qr/^X-Mesh-Issuer: idp\r$/m, 'the issuer goes upstream');

    $head = $example->is_served('orders-api', 'a forged identity is replaced', $method, $target,
        %with, token => $good, headers => [
            'X-Mesh-Service: forged', 'x_mesh_service: forged', 'X-MESH_Service: forged',
            'X-Mesh-Groups: ["forged"]', 'x.mesh.spiffe.id: forged', 'X-Mesh-Anything: forged',
        ]);
    unlike($head, qr/forged/, 'nothing of it arrives');

    $example->is_refused(401, 'no token is refused', $method, $target, %with);
    my $expired = $example->token(expires => '-1h');
    my $response = $example->is_refused(401, 'an expired token is refused', $method, $target,
        %with, token => $expired);
    like($response->{headers}{'www-authenticate'}, qr/error="invalid_token".*expired/,
        'the challenge says why');
    $example->is_refused(401, 'a token for another audience is refused', $method, $target,
        %with, token => $example->token(audience => 'another'));
    $example->is_refused(401, 'a token of another issuer is refused', $method, $target,
        %with, token => $example->token(issuer => 'https://other.example'));
    $example->is_refused(401, 'a tampered token is refused', $method, $target,
        %with, token => $good =~ s/\.\K(....)/reverse $1/er);
    $example->is_refused(400, 'two Authorization fields are refused', $method, $target,
        %with, token => $good, headers => ['Authorization: Basic eDp5']);
    return;
}

# Slows the limits down to a burst of ten, which no machine is too slow to reach.
sub slow_down ($text) {
    $$text =~ s/^( *mesh_limit \w+) .*;/$1 rate=60r\/m burst=10;/mg or die 'no limit';
    return;
}

# Requests over a burst of ten at 60r/m.
sub is_limited ($example, $limit, $method, $target, %options) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($response, $passed) = ({ status => 200 }, 0);
    for (1 .. 60) {
        $response = $example->request($method, $target, %options);
        last if $response->{status} != 200;
        $passed++;
    }
    is($response->{status}, 429, "the limit \"$limit\" is reached");
    is(scalar(my @heads = $example->heard), $passed, 'what it refused did not reach the upstream');
    like($response->{headers}{'retry-after'} // '', qr/\A[1-9]\d*\z/, 'the client is told when to come back');
    like($response->{headers}{ratelimit} // '', qr/\A"\Q$limit\E";r=0/, 'and which limit it was');
    return;
}

# === The examples ===

subtest 'nginx.conf' => sub {
    my $example = Test::Mesh::Example->start(
        prefix => $prefix, conf => 'nginx.conf', upstream => '127.0.0.1:8081');
    tokens_are_verified($example, GET => '/orders/1');

    my $readme = slurp(project_dir() . '/README.md');
    my $challenge = $example->request(GET => '/orders')->{headers}{'www-authenticate'};
    like($readme, qr/^WWW-Authenticate: \Q$challenge\E$/m, 'README shows the challenge');
    my $head = $example->is_served('orders-api', 'passes', GET => '/orders',
        token => $example->token, headers => ['X-Mesh-Service: admin']);
    my $identity = join "\n", $head =~ /^(X-Mesh-.*?)\r$/mg;
    like($readme, qr/^Accept: \S+\n\Q$identity\E\n```$/m, 'README shows what the upstream receives');

    my $long = $example->token(roles => [map { "role-$_-" . 'x' x 100 } 1 .. 90]);
    cmp_ok(length $long, '>', 12_000, 'a token that is longer than a buffer of 8k');
    $example->is_served('orders-api', 'passes', GET => '/orders/1', token => $long);
    $example->stop;
};

subtest 'kafka-rest.conf' => sub {
    my %options = (prefix => $prefix, conf => 'kafka-rest.conf', upstream => '127.0.0.1:8082');
    my $example = Test::Mesh::Example->start(%options);
    my $records = '/v3/clusters/lkc-1/topics/orders.v1/records';
    my $good = $example->token;
    my $spiffe = 'spiffe://prod.example/ns/shop/sa/orders-api';
    tokens_are_verified($example, POST => $records);

    my $head = $example->is_served('orders-api', 'a token produces', POST => $records, token => $good);
    like($head, qr/^Host: localhost:\d+\r$/m, 'Host is the one that the client used');
    $head = $example->is_served($spiffe, 'a certificate produces', POST => $records, certificate => 'spiffe');
    like($head, qr/^X-Mesh-Method: certificate\r$/m, 'the upstream hears what it was proven by');
    $head = $example->is_served('orders-api', 'with both, the token names the service',
        POST => '/topics/orders.v1', token => $good, certificate => 'spiffe');
    like($head, qr/^X-Mesh-Spiffe-Id: \Q$spiffe\E\r$/m, 'and the SPIFFE ID goes upstream beside it');

    $example->is_refused(401, 'a DNS name is no identity here', POST => $records, certificate => 'dns');
    is($example->logged->{reason}, 'certificate_nameless', 'the access log says why');
    $example->is_refused(400, 'a certificate of strangers is refused',
        POST => $records, token => $good, certificate => 'foreign');
    my $response = $example->is_refused(403, 'who may produce may not delete',
        DELETE => '/v3/clusters/lkc-1/topics/orders.v1', token => $good);
    my $logged = $example->logged;
    is_deeply([$logged->@{qw(service action resource rule reason)}],
        ['orders-api', 'topic:delete', 'orders.v1', 'default', 'policy_denied'], 'the access log says who, what and why');
    like($response->{body}, qr/"error_code":40301,.*orders-api.*\Q$logged->{reference}\E/,
        'and the client where to look it up');

    for my $target (
        '/v3/clusters/lkc-1/acls', '/v3/clusters/lkc-1/acls;x', '/v3;x/clusters/lkc-1/acls',
        '/v3/clusters/lkc-1/topics/-/configs:alter', '/v3/clusters/lkc-1/%61cls',
        '/topics/%2e%2e/v3/clusters/lkc-1/acls', '/topics/x/..%2f..%2fv3/clusters/lkc-1/acls',
        '/topics/..;/v3/clusters/lkc-1/acls', '//v3//clusters/lkc-1/acls', '/TOPICS/orders.v1', '/',
        '/topics/orders.v1/../payments', '/topics/payments%3Forders.v1',
    ) {
        $example->is_refused(qr/\A40[03]\z/, "no policy lets anybody reach $target", POST => $target, token => $good);
    }

    # Each of them is made by a process, which may take longer than the limit gives way.
    for my $token (map { $example->token(audience => 'x', subject => "s$_") } 1 .. 60) {
        $response = $example->request(GET => '/topics/x', token => $token);
        last if $response->{status} != 401;
    }
    is($response->{status}, 429, 'an address that goes on guessing has to wait');
    is($example->logged->{reason}, 'failure_limited', 'the access log says why');
    $example->stop;

    $example = Test::Mesh::Example->start(%options, edit => \&slow_down);
    my @read = (GET => '/consumers/ledger-1/instances/i-1/records');
    my @ledger = (token => $example->token(subject => 'ledger'));
    is_limited($example, consume => @read, @ledger);
    $example->is_served('ledger', 'what is no poll has another limit', GET => '/topics/orders.v1', @ledger);
    $example->stop;
};

# A head that a platform may see: its own credential, and nothing else that chooses or proves.
sub is_clean ($head, $credential, $host) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is(join('|', $head =~ /^Authorization: (.*?)\r$/gmi), $credential, 'the platform sees its own credential alone');
    like($head, qr/^Host: \Q$host\E\r$/m, 'and its own name');
    unlike($head, qr/client-sent/, 'and none of the fields that would choose for it');
    return;
}

subtest 'databricks.conf' => sub {
    my %options = (prefix => $prefix, conf => 'databricks.conf', upstream => '10.20.0.4:443');
    my $example = Test::Mesh::Example->start(%options, certificate => "$prefix/tls/upstream");
    my @runner = (subject => 'nightly-etl');
    my @run = (headers => ['Content-Type: application/json'], body => '{"job_id":42}');
    tokens_are_verified($example, GET => '/api/2.0/preview/scim/v2/Me', token_options => { claims => '{"groups":["data-eng"]}' });
    $example->is_refused(401, 'a token that lives for a day is refused', GET => '/api/2.2/jobs/get?job_id=42',
        token => $example->token(@runner, expires => '1d'));

    my $runner = $example->token(@runner);
    my $head = $example->is_served('nightly-etl', 'a runner starts a run', POST => '/api/2.2/jobs/run-now',
        token => $runner, body => $run[3], headers => [
            'Content-Type: application/json', 'Cookie: session=client-sent',
            'X-Databricks-Azure-SP-Management-Token: client-sent',
            'X-Databricks-Azure-Workspace-Resource-Id: client-sent',
            'X-Databricks-GCP-SA-Access-Token: client-sent', 'X-HTTP-Method: client-sent',
            'X-HTTP-Method-Override: client-sent', 'X-Method-Override: client-sent',
        ]);
    is_clean($head, 'Bearer databricks-credential', 'adb-1234567890123456.7.azuredatabricks.net');
    my $response = $example->request(GET => '/api/2.2/jobs/get?job_id=42', token => $runner);
    is($response->{headers}{'set-cookie'}, undef, 'no session of the workspace comes back');
    $example->heard;
    for my $field ('X-Databricks-Org-Id', 'X-Databricks-Workspace-Id') {
        $example->is_served('nightly-etl', "$field may name the workspace", GET => '/api/2.2/jobs/get?job_id=42',
            token => $runner, headers => ["$field: 1234567890123456"]);
        $example->is_refused(403, '... and no other', GET => '/api/2.2/jobs/get?job_id=42',
            token => $runner, headers => ["$field: 99"]);
    }

    for my $target (
        '/api/2.2/jobs/run-now', '/api/2.0/jobs/run-now', '/api/2.1/jobs/runs/submit',
        '/api/2.2/jobs/run%2dnow', '/api/2.2//jobs/run-now', '/api/2.2/jobs/list/../run-now',
        '/api/2.0/secrets/get?scope=a&key=b', '/api/2.2/jobs/delete', '/api/1.2/commands/execute',
        '/api/2.0/token/create', '/api/2.0/unity-catalog/temporary-table-credentials',
        '/serving-endpoints/x/config', '/serving-endpoints/../api/2.2/jobs/run-now', '/oidc/v1/token',
    ) {
        $example->is_refused(qr/\A40[03]\z/, "who is granted nothing does not reach $target", POST => $target,
            @run, token => $example->token);
    }
    $example->stop;

    $example = Test::Mesh::Example->start(%options, certificate => "$prefix/tls/upstream", edit => \&slow_down);
    is_limited($example, api => POST => '/api/2.1/jobs/run-now', @run, token => $example->token(@runner));
    $example->is_served('dashboard', 'each service has a limit of its own', GET => '/api/2.0/preview/scim/v2/Me',
        token => $example->token(subject => 'dashboard'));
    $example->stop;

    $example = Test::Mesh::Example->start(%options, certificate => "$prefix/certificates/server");
    $response = $example->is_refused(502, 'an upstream with another certificate is not handed the credential',
        GET => '/api/2.0/preview/scim/v2/Me', token => $example->token(@runner));
    like($response->{body}, qr/\A\{"error_code":/, 'which is told in the shape that clients read');
    $example->stop;
};

subtest 'synapse.conf' => sub {
    my %options = (prefix => $prefix, conf => 'synapse.conf', upstream => '10.20.0.5:443');
    my $example = Test::Mesh::Example->start(%options, certificate => "$prefix/tls/upstream");
    my $of_spiffe = "$prefix/certificates/spiffe.pem";
    my $engineer = '{"groups":["data-eng"]}';
    tokens_are_verified($example, GET => '/pipelines?api-version=2020-12-01', certificate => 'spiffe',
        token_options => { claims => $engineer });

    my $bound = $example->token(thumbprint_of => $of_spiffe, claims => $engineer);
    my $head = $example->is_served('orders-api', 'a bound token passes with its certificate',
        GET => '/pipelines', token => $bound, certificate => 'spiffe', headers => [
            'Cookie: session=client-sent', 'x-ms-authorization-auxiliary: client-sent',
            'X-HTTP-Method: client-sent', 'X-HTTP-Method-Override: client-sent',
            'X-Method-Override: client-sent',
        ]);
    is_clean($head, 'Bearer synapse-credential', 'contoso.dev.azuresynapse.net');
    like($head, qr{^X-Mesh-Spiffe-Id: spiffe://prod\.example/ns/shop/sa/orders-api\r$}m,
        'the SPIFFE ID goes upstream');
    $example->is_refused(401, 'a bound token does not pass with another certificate',
        GET => '/pipelines', token => $bound, certificate => 'dns');
    is($example->logged->{reason}, 'binding_mismatch', 'the access log says why');
    $example->is_refused(400, 'a token alone does not pass', GET => '/pipelines', token => $example->token);
    $example->is_refused(400, 'an expired certificate does not pass', GET => '/pipelines',
        token => $example->token, certificate => 'expired');
    $example->is_refused(401, 'a certificate that holds only a DNS name does not pass',
        GET => '/pipelines', token => $example->token, certificate => 'dns');

    my @run = (headers => ['Content-Type: application/json'], body => '{}');
    my $run = '/pipelines/load_orders/createRun?api-version=2020-12-01';
    my @with = (token => $example->token(subject => 'nightly-etl', thumbprint_of => $of_spiffe), certificate => 'spiffe');
    $example->is_served('nightly-etl', 'a runner starts a pipeline of the team', POST => $run, @run, @with);
    $example->is_refused(403, 'but not whoever is granted nothing', POST => $run, @run,
        token => $example->token(thumbprint_of => $of_spiffe), certificate => 'spiffe');
    $example->stop;

    $example = Test::Mesh::Example->start(%options, certificate => "$prefix/tls/upstream", edit => \&slow_down);
    is_limited($example, api => POST => $run, @run, certificate => 'spiffe',
        token => $example->token(subject => 'nightly-etl', thumbprint_of => $of_spiffe));
    $example->stop;

    $example = Test::Mesh::Example->start(%options, certificate => "$prefix/certificates/server");
    $example->is_refused(502, 'an upstream with another certificate is not handed the credential',
        POST => $run, @run, @with);
    $example->stop;
};

subtest 'dbt-cloud.conf' => sub {
    my %options = (prefix => $prefix, conf => 'dbt-cloud.conf', upstream => '10.20.0.6:443');
    my $example = Test::Mesh::Example->start(%options, certificate => "$prefix/tls/upstream");
    my $job = '/api/v2/accounts/1/jobs/22/';
    tokens_are_verified($example, GET => $job, token_options => { claims => '{"groups":["analytics"]}' });
    my @airflow = (token => $example->token(subject => 'airflow'));
    my $head = $example->is_served('airflow', 'a scheduler reads its job', GET => $job, @airflow,
        headers => ['Cookie: session=client-sent']);
    is_clean($head, 'Token dbt-credential', 'ab123.us1.dbt.com');
    my $response = $example->request(GET => $job, @airflow);
    is($response->{headers}{'set-cookie'}, undef, 'no session of dbt Cloud comes back');
    $example->heard;
    $example->stop;

    $example = Test::Mesh::Example->start(%options, certificate => "$prefix/tls/upstream", edit => \&slow_down);
    is_limited($example, api => GET => $job, @airflow);
    $example->stop;

    $example = Test::Mesh::Example->start(%options, certificate => "$prefix/certificates/server");
    $example->is_refused(502, 'an upstream with another certificate is not handed the credential', GET => $job, @airflow);
    $example->stop;
};

subtest 'platforms.conf' => sub {
    my %upstream = (kafka => '127.0.0.1:8082', databricks => '10.20.0.4:443', synapse => '10.20.0.5:443', dbt => '10.20.0.6:443');
    my $example = Test::Mesh::Example->start(prefix => $prefix, conf => 'platforms.conf', upstream => [values %upstream],
        certificate => "$prefix/tls/upstream");
    tokens_are_verified($example, POST => '/topics/orders.v1', name => 'kafka.gateway.example');
    my @etl = (token => $example->token(subject => 'nightly-etl'));
    my %asked = (
        databricks => ['/api/2.2/jobs/get?job_id=42', 'Bearer databricks-credential', 'adb-1234567890123456.7.azuredatabricks.net'],
        synapse => ['/pipelines/load_orders', 'Bearer synapse-credential', 'contoso.dev.azuresynapse.net'],
        dbt => ['/api/v2/accounts/1/jobs/22/', 'Token dbt-credential', 'ab123.us1.dbt.com'],
    );
    for my $platform (sort keys %asked) {
        my ($target, $credential, $host) = $asked{$platform}->@*;
        my @name = (name => "$platform.gateway.example");
        my $head = $example->is_served('nightly-etl', "a service reaches $platform by its name", GET => $target, @etl, @name);
        is_clean($head, $credential, $host);
        for my $other (grep { $_ ne $platform } sort keys %asked) {
            $example->is_refused(qr/\A40[03]\z/, "... and nothing of $other there", GET => $asked{$other}[0], @etl, @name);
        }
    }
    ok(!eval { $example->request(GET => '/', name => 'gateway.example') }, 'another name gets no answer');
    $example->stop;
};

done_testing();
