# Clients of dbt Cloud: dbtc, and the command dbt-cloud of dbt-cloud-cli.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Gateway;

# dbt-cloud says Token where others say Bearer.
my $gateway = Test::Mesh::Gateway->start('dbt_cloud', words => 'dbt_cloud account=1',
    server => '    mesh_token_source authorization authorization=Token;');
my $dbtc = $gateway->client('dbtc');
my $cli = $gateway->client('dbt_cloud_cli');

subtest 'dbtc' => sub {
    # It gives back what it was answered; whoever reads on fails by a KeyError of its own.
    my %denied = (answer => sub ($service) {
        return qr/"status":\{(?=.*"code":403)(?=.*"is_success":false)(?=.*"user_message":"[^"]*$service)/;
    });
    $gateway->works($dbtc, 'scheduler', ['trigger_and_poll', 1, 22, { cause => 'polled' }], 'a job is run, and polled');
    $gateway->works($dbtc, 'scheduler', ['cloud.trigger_job', 1, 22, { cause => 'x', steps_override => undef }],
        'an override that is null is none', with => { should_poll => JSON::PP::false() });
    $gateway->works($dbtc, 'scheduler', ['cloud.get_run_artifact', 1, 7001, 'compiled/p/models/a b.sql'],
        'an artifact of a run');
    $gateway->works($dbtc, 'scheduler', ['cloud.cancel_run', 1, 7001], 'a run is cancelled');
    $gateway->works($dbtc, 'auditor', ['cloud.list_jobs', 1], 'jobs are listed');
    $gateway->works($dbtc, 'auditor', ['cloud.list_projects', 1], 'projects are listed');
    $gateway->works($dbtc, 'developer', ['cloud.trigger_job', 1, 22, { cause => 'x', steps_override => ['dbt run'] }],
        'who may override, may', with => { should_poll => JSON::PP::false() });

    my @no_poll = (with => { should_poll => JSON::PP::false() });
    $gateway->refuses($dbtc, 'scheduler', ['cloud.trigger_job', 1, 23, { cause => 'x' }], 'a job of no role',
        answer => $denied{answer}->('scheduler'), @no_poll);
    for my $override (['steps_override', ['dbt run']], ['git_branch', 'x'],
        ['generate_docs_override', JSON::PP::false()], ['threads_override', 0]) {
        $gateway->refuses($dbtc, 'scheduler', ['cloud.trigger_job', 1, 22, { cause => 'x', @$override }],
            "who may run, may not override: $override->[0]", answer => $denied{answer}->('scheduler'), @no_poll);
    }
    $gateway->refuses($dbtc, 'scheduler', ['cloud.get_run', 1, 9], 'a run that is denied',
        answer => $denied{answer}->('scheduler'));
    $gateway->refuses($dbtc, 'developer', ['cloud.update_job', 1, 22, { execute_steps => ['dbt run'] }],
        'the steps of a job, which are a run with overrides that lasts', answer => $denied{answer}->('developer'));
    $gateway->refuses($dbtc, 'auditor', ['cloud.create_service_token', 1, { name => 't' }], 'a token of the account',
        answer => $denied{answer}->('auditor'));
    $gateway->refuses($dbtc, 'auditor', ['cloud.list_projects', 2], 'another account', verdict => '403 operation_refused',
        answer => qr/"code":403/);
};

subtest 'dbt-cloud' => sub {
    # It tells the job again in the body, and ten other members.
    $gateway->works($cli, 'developer', ['run', qw(job run --job-id 22)], 'a job is run');
    $gateway->works($cli, 'scheduler', ['run', qw(job get --job-id 22)], 'a job is read');
    $gateway->works($cli, 'scheduler', ['run', qw(run get --run-id 7001)], 'a run is read');
    $gateway->works($cli, 'scheduler', ['run', qw(run list-artifacts --run-id 7001)], 'artifacts are listed');
    $gateway->works($cli, 'scheduler', ['run', qw(run cancel --run-id 7001)], 'a run is cancelled');
    my %denied = (class => 'builtins.RuntimeError', text => qr/\Aexit 1: .*"code": 403.*scheduler/s);
    $gateway->refuses($cli, 'scheduler', ['run', qw(job run --job-id 22 --steps-override), "['dbt run']"],
        'an override', %denied);
    $gateway->refuses($cli, 'scheduler', ['run', qw(job get --job-id 23)], 'a job of no role', %denied);
    $gateway->refuses($cli, 'scheduler', ['run', qw(job delete --job-id 22)], 'who may run does not delete', %denied);
    $gateway->refuses($cli, 'scheduler', ['run', qw(project list)], 'projects of no role', %denied);
};

subtest 'what is sent past the clients' => sub {
    my @json = ('Content-Type: application/json');
    my %run = (headers => \@json, body => '{"cause":"x"}');
    my $job = '/api/v2/accounts/1/jobs/22/run';
    $gateway->passes('scheduler', 'a run without a final slash', POST => $job, %run);
    $gateway->passes('scheduler', 'a run with one', POST => "$job/", %run);

    my %paths = (
        'a job with a zero in front' => ['40[03] \w+', '/api/v2/accounts/1/jobs/022/run/'],
        'a job in other digits' => ['40[03] \w+', '/api/v2/accounts/1/jobs/%EF%BC%92%EF%BC%92/run/'],
        'a job with a space' => ['40[03] \w+', '/api/v2/accounts/1/jobs/22%20/run/'],
        'another job by a dot segment' => ['400 \w+', '/api/v2/accounts/1/jobs/22/../23/run/'],
        'another job by an escaped one' => ['400 \w+', '/api/v2/accounts/1/jobs/22/%2E%2E/23/run/'],
        'another job by an escaped slash' => ['400 \w+', '/api/v2/accounts/1/jobs/22%2F..%2F23/run/'],
        'two slashes' => ['40[03] \w+', '/api/v2/accounts/1/jobs//22/run/'],
        'another case' => ['403 operation_unknown', '/api/V2/accounts/1/jobs/22/run/'],
        'another version' => ['403 operation_unknown', '/api/v4/accounts/1/jobs/22/run/'],
        'another account' => ['403 operation_refused', '/api/v2/accounts/2/jobs/22/run/'],
        'a verb' => ['403 operation_unknown', '/api/v2/accounts/1/jobs/22/run:now'],
    );
    $gateway->stops('scheduler', $paths{$_}[0], $_, POST => $paths{$_}[1], %run) for sort keys %paths;

    my %bodies = (
        'an override behind the same member' => ['40[03] \w+', '{"steps_override":null,"steps_override":["dbt run"]}'],
        'an override, the member escaped' => ['403 policy_denied', '{"cause":"x","steps\u005foverride":["dbt run"]}'],
        'an override in another case' => ['40[03] \w+', '{"cause":"x","Steps_Override":["dbt run"]}'],
        'a member that nobody knows' => ['403 policy_denied', '{"cause":"x","steps":["dbt run"]}'],
        'an empty override' => ['403 policy_denied', '{"cause":"x","steps_override":[]}'],
        'a list' => ['400 \w+', '[{"cause":"x"}]'],
        'two documents' => ['400 \w+', '{"cause":"x"}{"steps_override":["dbt run"]}'],
        'a broken one' => ['400 \w+', '{"cause":"x"'],
    );
    $gateway->stops('scheduler', $bodies{$_}[0], "a body: $_", POST => "$job/", headers => \@json, body => $bodies{$_}[1])
        for sort keys %bodies;
    my $form = 'cause=x&steps_override=dbt+run';
    $gateway->stops('scheduler', '4\d\d \w+', 'an override in a form', POST => "$job/",
        headers => ['Content-Type: application/x-www-form-urlencoded'], body => $form);
    $gateway->stops('scheduler', '4\d\d \w+', 'an override in parts', POST => "$job/",
        headers => ['Content-Type: multipart/form-data; boundary=b'],
        body => qq{--b\r\nContent-Disposition: form-data; name="steps_override"\r\n\r\ndbt run\r\n--b--\r\n});
    $gateway->stops('scheduler', '415 \w+', 'an override in a body of no type', POST => "$job/",
        body => '{"steps_override":["dbt run"]}');
    $gateway->stops('scheduler', '415 \w+', 'an override in an encoded body', POST => "$job/",
        headers => [@json, 'Content-Encoding: gzip'], body => '{"steps_override":["dbt run"]}');
};

subtest 'names that are odd' => sub {
    my %odd = odd_names('7001', '9');
    for my $what (sort keys %odd) {
        $gateway->bears($dbtc, 'scheduler', ['cloud.get_run', 1, $odd{$what}], "a run: $what");
        $gateway->bears($dbtc, 'scheduler', ['cloud.get_run_artifact', 1, 7001, $odd{$what}], "an artifact: $what");
        $gateway->bears($dbtc, 'scheduler', ['cloud.get_job', 1, $odd{$what} =~ s/7001/22/r], "a job: $what");
    }
};

$gateway->stop;
done_testing;
