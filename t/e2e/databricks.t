# Clients of a Databricks workspace: the SDK, SQL by Thrift and by REST, MLflow and vector search.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Gateway;

my $gateway = Test::Mesh::Gateway->start('databricks', server => <<'CONF');
    # The workspace's own answer would lead past the gateway.
    location = /.well-known/databricks-config {
        mesh_authenticate off;
        mesh_platform off;
        default_type application/json;
        return 200 '{"oidc_endpoint":"https://$http_host/oidc","account_id":"acc-1"}';
    }
CONF

my $sdk = $gateway->client('databricks_sdk');

subtest 'databricks-sdk' => sub {
    $gateway->works($sdk, 'etl', ['run_now', 42], 'a job of its role');
    $gateway->works($sdk, 'etl', ['run_and_wait', 43], '... and its run is polled');
    $gateway->works($sdk, 'etl', ['submit_notebook', '/Shared/etl/load', 'c-1'], 'a notebook on a cluster');
    $gateway->works($sdk, 'etl', ['import_notebook', '/Shared/etl/load'], 'a notebook is written, as JSON');
    $gateway->works($sdk, 'etl', ['upload_notebook', "/Shared/etl/n\x{e9}"], '... and in parts of a form');
    $gateway->works($sdk, 'etl', ['upload', '/Volumes/main/etl/v/a b+c%41.txt', "hello \x{e9}"], 'a file of a volume');
    $gateway->works($sdk, 'analyst', ['tables.get', 'main.sales.orders'], 'a table');
    $gateway->works($sdk, 'analyst', ['tables.get', 'MAIN.Sales.Orders'], '... whose name folds');
    $gateway->works($sdk, 'analyst', ['statement_execution.execute_statement', 'SELECT 1', 'w-1'], 'a statement',
        with => { catalog => 'main', schema => 'sales' });
    $gateway->works($sdk, 'analyst', ['current_user.me'], 'who it is, which every client may ask');
    $gateway->works($sdk, 'scientist', ['serving_endpoints.query', 'churn'], 'a model', with => { inputs => [[1]] });
    $gateway->works($sdk, 'scientist', ['vector_search_indexes.query_index', 'main.ml.docs', ['id']], 'an index',
        with => { query_text => 'q' });
    $gateway->works($sdk, 'lead', ['jobs.list'], 'jobs');

    my $denied = sub ($who, $what, $reason = 'policy_denied') {
        return (class => 'databricks.sdk.errors.platform.PermissionDenied', text => qr/$who.*$what/, verdict => "403 $reason");
    };
    my @refused = (
        ['a job of no role', 'etl', 'payroll|7', 'run_now', 7],
        ['parameters of code', 'etl', 'nightly-load|42', 'run_now', 42, { python_params => ['x'] }],
        ['a notebook on a cluster of no role', 'etl', 'c-2', 'submit_notebook', '/Shared/etl/load', 'c-2'],
        ['a notebook of no role', 'etl', '/Shared/other', 'submit_notebook', '/Shared/other', 'c-1'],
        ['a path of no role, as JSON', 'etl', '/Shared/other', 'import_notebook', '/Shared/other'],
        ['a path of no role, in parts of a form', 'etl', '/Shared/other', 'upload_notebook', '/Shared/other'],
        ['a file of no role', 'etl', '/Volumes/main/pay', 'upload', '/Volumes/main/pay/v/x', 'hello'],
        ['a table of no role', 'analyst', 'main.hr.people', 'tables.get', 'main.hr.people'],
        ['a table that is denied to all', 'lead', 'main.pii.people', 'tables.get', 'main.pii.people'],
        ['... in another case', 'lead', 'main.pii.people', 'tables.get', 'Main.PII.people'],
        ['grants, which all actions are not', 'lead', 'main.sales.orders', 'let_read', 'main.sales.orders', 'account users'],
        ['code, which all actions are not', 'lead', 'c-1', 'execute_code', 'c-1', 'DROP TABLE main.s.t'],
        ['a warehouse of no role', 'analyst', 'w-2', 'statement_execution.execute_statement', 'SELECT 1', 'w-2'],
        ['a schema of no role', 'analyst', 'main.hr', 'statement_execution.execute_statement', 'SELECT 1', 'w-1',
            { catalog => 'main', schema => 'hr' }],
        ['a model of no role', 'scientist', 'fraud', 'serving_endpoints.query', 'fraud', { inputs => [[1]] }],
        ['an index of no role', 'scientist', 'main.hr.docs', 'vector_search_indexes.query_index', 'main.hr.docs',
            ['id'], { query_text => 'q' }],
    );
    for my $it (@refused) {
        my ($name, $who, $what, @call) = @$it;
        my $with = ref $call[-1] eq 'HASH' ? pop @call : {};
        $gateway->refuses($sdk, $who, \@call, $name, $denied->($who, $what), with => $with);
    }
    $gateway->refuses($sdk, 'lead', ['account_workspaces'], 'the account', $denied->('lead', '', 'operation_refused'));

    # An address that leads to the store itself is not to be had; then the SDK goes by the gateway.
    my $file = ['download', '/Volumes/main/etl/v/a b.txt'];
    my ($alone) = $gateway->called($sdk, 'etl', $file, $gateway->upstream_url);
    my ($through, $arrived) = $gateway->called($sdk, 'etl', $file, $gateway->url);
    is $alone->{value}, 'by a presigned address', 'without the gateway, a file is read from the store';
    is $through->{value}, 'by the gateway', '... and through it, through it';
    is_deeply [map { "$_->{method} $_->{target}" } @$arrived], ['GET /api/2.0/fs/files/Volumes/main/etl/v/a%20b.txt'],
        '... which hands out no address that leads past it';
};

subtest 'databricks-sql-connector' => sub {
    my $sql = $gateway->client('databricks_sql');
    for my $sea (0, 1) {
        my $by = $sea ? 'REST' : 'Thrift';
        my %with = (with => { use_sea => $sea ? JSON::PP::true() : JSON::PP::false() });
        $gateway->works($sql, 'analyst', ['execute', 'w-1', 'SELECT 1'], "a statement by $by", %with);
        # By REST it shows the status alone.
        for (['analyst', 'w-2', 'a warehouse of no role'], ['etl', 'w-1', 'somebody of no role']) {
            my ($who, $warehouse, $what) = @$_;
            $gateway->refuses($sql, $who, ['execute', $warehouse, 'SELECT 1'], "$what by $by", %with,
                class => 'databricks.sql.exc.RequestError',
                text => $sea ? qr/failed with status 403/ : qr/service '$who' may not use the warehouse '$warehouse'/);
        }
    }
    $gateway->works($sql, 'analyst', ['tables', 'w-1'], 'a list of tables by Thrift');
    # Each connection has first tried to exchange the token for one of the workspace's own.
    my ($answer, $arrived) = $gateway->called($sql, 'analyst', ['execute', 'w-1', 'SELECT 1'], $gateway->url);
    like $answer->{log}, qr/Token exchange failed, using external token/, 'a token is not exchanged past the gateway';
    is_deeply [grep { /oidc/ } map { $_->{target} } @$arrived], [], '... and does not get to the workspace';
};

subtest 'mlflow' => sub {
    my $mlflow = $gateway->client('mlflow');
    $gateway->works($mlflow, 'scientist', ['log', '1'], 'a run is logged');
    $gateway->works($mlflow, 'scientist', ['get_registered_model', 'main.ml.m'], 'a model of the catalog is looked up');
    $gateway->works($mlflow, 'scientist', ['search_experiments'], 'experiments are looked for');
    $gateway->works($mlflow, 'scientist', ['predict', 'chat-1'], 'a model answers');
    my %denied = (class => 'mlflow.exceptions.RestException', text => qr/PERMISSION_DENIED: .*analyst/);
    $gateway->refuses($mlflow, 'analyst', ['search_experiments'], 'experiments of no role', %denied);
    $gateway->refuses($mlflow, 'analyst', ['log', '1'], 'a run of no role', %denied);
    $gateway->refuses($mlflow, 'scientist', ['get_registered_model', 'main.hr.m'], 'a model of no role', %denied,
        text => qr/scientist.*main\.hr\.m/);
};

subtest 'databricks-vectorsearch' => sub {
    my $search = $gateway->client('vector_search');
    $gateway->works($search, 'scientist', ['search', 'ep', 'main.ml.docs'], 'a search, which is a GET with a body');
    $gateway->works($search, 'scientist', ['scan', 'ep', 'main.ml.docs'], 'a scan');
    my %denied = (class => 'databricks.ai_search.exceptions.PermissionDenied',
        text => qr/service 'scientist' may not (?:read|write) the index/);
    $gateway->refuses($search, 'scientist', ['search', 'ep', 'main.hr.docs'], 'an index of no role', %denied);
    $gateway->refuses($search, 'scientist', ['upsert', 'ep', 'main.ml.docs'], 'who reads does not write', %denied, passed => 1);
};

subtest 'what is sent past the clients' => sub {
    my @json = ('Content-Type: application/json');
    my $now = '/api/2.1/jobs/run-now';
    $gateway->passes('etl', 'another version', POST => $now, headers => \@json, body => '{"job_id":42}');
    $gateway->passes('etl', 'a job as text', POST => $now, headers => ['Content-Type: text/json'], body => '{"job_id":"42"}');
    $gateway->passes('etl', 'a final slash', POST => "$now/", headers => \@json, body => '{"job_id":42}');
    $gateway->passes('etl', 'an escaped member and digit', POST => $now, headers => \@json,
        body => '{"job\u005fid":"4\u0032"}');

    my $chat = '/serving-endpoints/chat/completions';
    $gateway->passes('scientist', 'a model that the body names', POST => $chat, headers => \@json,
        body => '{"model":"chat-1"}');
    $gateway->stops('scientist', '403 policy_denied', 'a model of no role that the body names', POST => $chat,
        headers => \@json, body => '{"model":"fraud"}');
    $gateway->stops('scientist', '400 body_member_missing', 'a model that nothing names', POST => $chat, headers => \@json,
        body => '{"messages":[]}');

    my %bodies = (
        'a job twice' => ['400 \w+', '{"job_id":42,"job_id":7}'],
        'a job twice, once escaped' => ['400 \w+', '{"job_id":42,"job\u005fid":7}'],
        'a job in another spelling' => ['400 \w+', '{"job_id":42,"jobId":7}'],
        'a job with a zero in front' => ['400 \w+', '{"job_id":"042"}'],
        'a job with a fraction' => ['400 \w+', '{"job_id":42.0}'],
        'a job with an exponent' => ['400 \w+', '{"job_id":4.2e1}'],
        'a job in a list' => ['400 \w+', '{"job_id":[42]}'],
        'a job that is null' => ['400 body_member_missing', '{"job_id":null}'],
        'no job' => ['400 body_member_missing', '{}'],
        'no body' => ['400 \w+', ''],
        'two documents' => ['400 \w+', '{"job_id":42}{"job_id":7}'],
        'a comment' => ['400 \w+', '{"job_id":42/*7*/}'],
        'a mark of the order of bytes' => ['4\d\d \w+', "\xef\xbb\xbf{\"job_id\":7}"],
        'parameters of code' => ['403 policy_denied', '{"job_id":42,"jar_params":["x"]}'],
        'another job, escaped' => ['403 policy_denied', '{"job\u005fid":"\u0037"}'],
    );
    $gateway->stops('etl', $bodies{$_}[0], "a body: $_", POST => $now, headers => \@json,
        body => $bodies{$_}[1])
        for sort keys %bodies;
    my $payroll = '{"job_id":7}';
    $gateway->stops('etl', '415 \w+', "a body of the type $_", POST => $now, headers => ["Content-Type: $_"], body => $payroll)
        for 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=b', 'application/json; charset=utf-7';
    $gateway->stops('etl', '415 \w+', 'a body of no type', POST => $now, body => $payroll);
    $gateway->stops('etl', '415 \w+', 'an encoded body', POST => $now, headers => [@json, 'Content-Encoding: gzip'],
        body => $payroll);
    $gateway->stops('etl', '40[03] \w+', "by another version: $_", POST => "/api/$_/jobs/run-now", headers => \@json,
        body => $payroll)
        for '2.0', '2.2', '2.10', '2.02', '3.0';
    $gateway->stops('etl', '40[03] \w+', 'a member of the query as well', POST => "$now?job_id=7", headers => \@json,
        body => '{"job_id":42}');

    my @targets = (
        ['a dot segment', '400 \w+', 'analyst', '/api/2.1/unity-catalog/tables/main.sales.orders/../main.hr.people'],
        ['an escaped one', '400 \w+', 'analyst', '/api/2.1/unity-catalog/tables/main.sales.orders%2F..%2Fmain.hr.people'],
        ['a denied table, escaped', '403 policy_denied', 'lead', '/api/2.1/unity-catalog/tables/main.p%69i.people'],
        ['a name with a part more', '40[03] \w+', 'analyst', '/api/2.1/unity-catalog/tables/main.sales.orders.x'],
        ['a name with an empty part', '40[03] \w+', 'analyst', '/api/2.1/unity-catalog/tables/main.sales.'],
        ['a sign whose fold is a letter', '400 name_malformed', 'lead', '/api/2.1/unity-catalog/tables/main.p%C4%B0i.x'],
        ['a segment more', '403 operation_unknown', 'analyst', '/api/2.1/unity-catalog/tables/main.sales.orders/x'],
        ['another case', '403 operation_unknown', 'analyst', '/api/2.1/Unity-Catalog/tables/main.sales.orders'],
        ['a verb', '403 operation_unknown', 'analyst', '/api/2.1/unity-catalog/tables/main.sales.orders:read/x'],
        ['secrets', '403 policy_denied', 'lead', '/api/2.0/secrets/get?scope=s&key=k'],
        ['the directory of volumes above its role', '403 policy_denied', 'etl', '/api/2.0/fs/directories/Volumes/main'],
        ['a presigned address', '403 operation_unknown', 'etl', '/presigned/get?sig=s'],
    );
    $gateway->stops($_->[2], $_->[1], $_->[0], GET => $_->[3]) for @targets;

    my @selectors = map { "$_: 1" } qw(X-Databricks-Azure-SP-Management-Token X-Databricks-GCP-SA-Access-Token
        X-Databricks-Azure-Workspace-Resource-Id X-Databricks-Cluster-Id X-HTTP-Method-Override X-HTTP-Method X-Method-Override);
    $gateway->send_it('analyst', GET => '/api/2.0/preview/scim/v2/Me', headers => \@selectors);
    my ($arrived) = $gateway->arrived;
    my @names = map { $_->[0] } $arrived->{headers}->@*;
    is_deeply [grep { /databricks|method(?!\z)|override/i } @names], [], 'fields that choose an identity are removed';
};

subtest 'names that are odd' => sub {
    my %odd = odd_names('main.sales.orders', 'main.pii.people');
    for my $what (sort keys %odd) {
        my $name = $odd{$what};
        $gateway->bears($sdk, 'lead', ['tables.get', $name], "a table, for somebody who may all but one: $what");
        $gateway->bears($sdk, 'etl', ['upload', '/Volumes/main/etl/v/' . $name, 'x'], "a file: $what");
        $gateway->bears($sdk, 'etl', ['import_notebook', '/Shared/etl/' . $name], "a notebook: $what");
        $gateway->bears($sdk, 'scientist', ['serving_endpoints.query', $name =~ s/main\.sales\.orders/churn/r],
            "a model: $what");
    }
};

$gateway->stop;
done_testing;
