# Azure's clients of a Synapse workspace, over TLS: artifacts, Spark and roles, with what they poll and page.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Gateway;

# The workspace tells addresses of its own in fields and bodies; the clients would follow them with their token.
my $gateway = Test::Mesh::Gateway->start('synapse', http => <<'HTTP', server => <<'SERVER');
map $upstream_http_operation_location $operation_location {
    "~^https://%%UPSTREAM%%/(?<rest>.*)$" "https://$http_host/$rest";
}
HTTP
    proxy_redirect https://%%UPSTREAM%%/ https://$http_host/;
    proxy_hide_header Operation-Location;
    add_header Operation-Location $operation_location always;
    proxy_set_header Accept-Encoding identity;
    sub_filter_types application/json;
    sub_filter_once off;
    sub_filter "https://%%UPSTREAM%%" "https://$http_host";
SERVER
my $azure = $gateway->client('synapse');

sub denied ($who, $what) {
    return (class => 'azure.core.exceptions.HttpResponseError', text => qr/\(\w+\) [^\n]*\b$who\b.*\nCode: \w+\nMessage: /s);
}

my $run = '0d5f6a6a-0000-4000-8000-000000000001';

subtest 'pipelines and triggers' => sub {
    $gateway->works($azure, 'loader', ['artifacts.pipeline.create_pipeline_run', 'load_orders'], 'a pipeline is run');
    $gateway->works($azure, 'loader', ['artifacts.pipeline.create_pipeline_run', 'daily load/2026'],
        'a name with a space and a slash, which the client escapes');
    $gateway->works($azure, 'loader', ['artifacts.pipeline.create_pipeline_run', 'LOAD_Orders'], 'names fold');
    $gateway->works($azure, 'loader', ['query_runs'], 'runs are looked for');
    $gateway->works($azure, 'loader', ['start_trigger', 'nightly'], 'a trigger is started');
    $gateway->works($azure, 'author', ['list_pipelines'], 'pages of pipelines, of which each tells the next');
    $gateway->works($azure, 'author', ['write_pipeline', 'load orders'], 'a pipeline is written, and the operation polled');
    $gateway->works($azure, 'author', ['write_script', 'team/x'], 'so is a script');
    $gateway->works($azure, 'author', ['write_trigger', 'hourly', 'load_orders'],
        'a trigger of a pipeline that its author may run');

    $gateway->refuses($azure, 'loader', ['artifacts.pipeline.create_pipeline_run', 'other'], 'a pipeline of no role',
        denied('loader', 'other'));
    $gateway->refuses($azure, 'loader', ['artifacts.pipeline.create_pipeline_run', 'Load_Payroll'],
        'a denial, in another case', denied('loader', 'load_payroll'));
    $gateway->refuses($azure, 'loader', ['write_pipeline', 'load_orders'], 'who runs does not write',
        denied('loader', 'load_orders'));
    $gateway->refuses($azure, 'loader', ['list_pipelines'], 'all pipelines, which have their code with them',
        denied('loader', 'pipelines'));
    $gateway->refuses($azure, 'author', ['write_trigger', 'hourly', 'load_orders', 'other'],
        'a trigger of pipelines of which its author may not run one', denied('author', 'other'));
    $gateway->refuses($azure, 'loader', ['artifacts.pipeline.create_pipeline_run', '..'], 'a name that leaves the path',
        denied('loader', ''), verdict => '403 operation_unknown');
};

subtest 'notebooks and Spark' => sub {
    $gateway->works($azure, 'analyst', ['run_notebook', $run, 'report', 'small'],
        'a notebook on a pool, and the operation polled');
    $gateway->works($azure, 'analyst', ['submit_batch', 'small'], 'a job on a pool');
    $gateway->works($azure, 'analyst', ['run_statement', 'small', 'select 1'], 'a statement of a session');
    $gateway->refuses($azure, 'analyst', ['run_notebook', $run, 'report', 'large'], 'a pool of no role',
        denied('analyst', 'large'));
    $gateway->refuses($azure, 'analyst', ['run_notebook', $run, 'payroll', 'small'], 'a notebook of no role',
        denied('analyst', 'payroll'));
    $gateway->refuses($azure, 'analyst', ['submit_batch', 'large'], 'a job on a pool of no role', denied('analyst', 'large'));
    $gateway->refuses($azure, 'analyst', ['run_statement', 'small/../large', 'select 1'], 'a name that leaves the path',
        denied('analyst', ''));
};

subtest 'roles' => sub {
    my %spoken = denied('author', '');
    $gateway->refuses($azure, 'author', ['roles'], 'who has a role', %spoken);
    $gateway->refuses($azure, 'author', ['assign_role', $run], 'a role for somebody', %spoken);
};

subtest 'what is sent past the clients' => sub {
    my $version = 'api-version=2020-12-01';
    my @json = ('Content-Type: application/json');
    my %empty = (headers => \@json, body => '{}');
    $gateway->passes('loader', 'a final slash', POST => "/pipelines/load_orders/createRun/?$version", %empty);
    $gateway->passes('loader', 'another case of the path', POST => "/Pipelines/load_orders/createrun?$version", %empty);
    my %targets = (
        'a dot segment' => ['400 \w+', "/pipelines/load_orders/../other/createRun?$version"],
        'an escaped dot segment' => ['400 \w+', "/pipelines/load_orders%2F..%2Fother/createRun?$version"],
        'two slashes' => ['40[03] \w+', "/pipelines//load_orders/createRun?$version"],
        'an escaped letter of another pipeline' => ['403 policy_denied', "/pipelines/%6Fther/createRun?$version"],
        'an escaped escape' => ['403 policy_denied', "/pipelines/%256Coad_orders/createRun?$version"],
        'a sign whose fold is a letter' => ['400 name_malformed', "/pipelines/load_%E2%84%AA/createRun?$version"],
        'a segment more' => ['403 operation_unknown', "/pipelines/load_orders/createRun/now?$version"],
        'a verb' => ['403 operation_unknown', "/pipelines/load_orders/createRun:now?$version"],
        'a run of another run, which is read' => ['40[03] \w+',
            "/pipelines/load_orders/createRun?$version&referencePipelineRunId=a&referencePipelineRunId=b"],
    );
    $gateway->stops('loader', $targets{$_}[0], $_, POST => $targets{$_}[1], %empty) for sort keys %targets;

    my $target = "/notebooks/runs/$run?api-version=2022-03-01-preview";
    my %bodies = (
        'a pool twice' => ['400 \w+', '{"notebook":"report","sparkPool":"small","sparkPool":"large"}'],
        'a pool twice, once escaped' => ['400 \w+', '{"notebook":"report","sparkPool":"small","spark\u0050ool":"large"}'],
        'a pool in another spelling' => ['400 \w+', '{"notebook":"report","sparkPool":"small","SparkPool":"large"}'],
        'no pool, which may be any' => ['403 policy_denied', '{"notebook":"report"}'],
        'a pool that is null' => ['403 policy_denied', '{"notebook":"report","sparkPool":null}'],
        'a pool that is a list' => ['400 \w+', '{"notebook":"report","sparkPool":["small"]}'],
        'nothing' => ['400 \w+', ''],
    );
    $gateway->stops('analyst', $bodies{$_}[0], "a body: $_", PUT => $target, headers => \@json,
        body => $bodies{$_}[1]) for sort keys %bodies;
    my $large = '{"notebook":"report","sparkPool":"large"}';
    $gateway->stops('analyst', '415 \w+', "a body of the type $_", PUT => $target, headers => ["Content-Type: $_"],
        body => $large)
        for 'text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=utf-16';
    $gateway->stops('analyst', '415 \w+', 'a body of no type', PUT => $target, body => $large);
};

subtest 'names that are odd' => sub {
    my %odd = odd_names('load_orders', 'other');
    for my $what (sort keys %odd) {
        $gateway->bears($azure, 'loader', ['artifacts.pipeline.create_pipeline_run', $odd{$what}], "a pipeline: $what");
        $gateway->bears($azure, 'analyst', ['submit_batch', $odd{$what} =~ s/load_orders/small/r], "a pool: $what");
        $gateway->bears($azure, 'analyst', ['run_notebook', $run, 'report', $odd{$what} =~ s/load_orders/small/r],
            "... in a body: $what");
    }
};

$gateway->stop;
done_testing;
