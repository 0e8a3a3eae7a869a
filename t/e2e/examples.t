# The examples of nginx-conf/ in front of platforms that tell addresses of their own, with the platforms' clients: none is
# led past the gateway.

use v5.36;

use lib 't/lib';

use JSON::PP ();
use Test::More;

use Test::Mesh::Example;
use Test::Mesh::File;
use Test::Mesh::Python;

my $JSON = JSON::PP->new->canonical->ascii->allow_nonref;
my $prefix = Test::Mesh::Example::new_prefix();

# What a client is answered at the example; a text of what arrived there, which all came through it.
sub through ($site, $client, $of, $call, %options) {
    my ($function, @arguments) = @$call;
    my $records = slurp($site->{records});
    my $answer = $client->ask({
        call => $function, args => \@arguments, kwargs => $options{with} // {}, url => 'https://' . $site->{example}->host,
        token => $site->{example}->token(%$of), ($site->{more} // {})->%*,
    });
    my @arrived = map { $JSON->decode($_) } split /\n/, substr slurp($site->{records}), length $records;
    for my $request (@arrived) {
        my %fields = map { lc $_->[0] => $_->[1] } $request->{headers}->@*;
        is $fields{'x-mesh-service'}, $of->{subject}, "$request->{method} $request->{target} came through the gateway";
        is $fields{authorization}, $site->{credential}, '... by its credential' if $site->{credential};
    }
    return ($answer, join ', ', map { "$_->{method} " . $_->{target} =~ s/\?.*//r } @arrived);
}

# Starts a platform that takes an address for its own, and an example in front of it.
sub site ($platform, $conf, $upstream, $address, %more) {
    my $records = spew("$prefix/records-$platform", '');
    my $it = Test::Mesh::Python->start(['upstream.py', $platform, $records, "$prefix/tls/upstream", $address]);
    my $example = Test::Mesh::Example->start(prefix => $prefix, conf => $conf, upstream => $upstream,
        upstream_port => $it->ready->{ $address =~ /^(\w+)/ ? $1 : () });
    return { platform => $it, example => $example, records => $records, %more };
}

sub client ($name) {
    return Test::Mesh::Python->start(['client.py', $name], authority => "$prefix/certificates/ca.pem");
}

sub finish ($site, @clients) {
    $site->{example}->stop;
    $_->stop for @clients, $site->{platform};
    is $site->{platform}->stderr, '', 'the platform has nothing to complain of';
    return;
}

subtest 'kafka-rest.conf' => sub {
    my $site = site('kafka_rest', 'kafka-rest.conf', '127.0.0.1:8082', 'http://127.0.0.1:8082');
    my $kafka = client('kafka_mcp');
    my @of = ($site, $kafka, { subject => 'ledger' });
    my ($made) = through(@of, ['create_consumer', 'ledger-1', 'c1']);
    is $made->{value}{base_uri}, 'https://' . $site->{example}->host . '/consumers/ledger-1/instances/c1',
        'an instance is told to be used at the gateway';
    my ($answer, $arrived) = through(@of, ['subscribe_consumer', 'ledger-1', 'c1', ['orders.new']]);
    ok $answer->{ok}, 'it subscribes' or diag $JSON->encode($answer);
    ($answer, $arrived) = through(@of, ['subscribe_consumer', 'ledger-1', 'c1', ['orders.new', 'audit']]);
    like $answer->{text}, qr/403.*service 'ledger' may not consume the topic 'audit'/, 'but not to what its role does not hold';
    is $arrived, '', '... and nothing of that arrives';
    finish($site, $kafka);
};

subtest 'databricks.conf' => sub {
    my $site = site('databricks', 'databricks.conf', '10.20.0.4:443', 'https://adb-1234567890123456.7.azuredatabricks.net',
        credential => 'Bearer databricks-credential');
    my ($sdk, $sql) = (client('databricks_sdk'), client('databricks_sql'));
    my %etl = (subject => 'nightly-etl');
    my ($answer, $arrived) = through($site, $sdk, \%etl, ['run_and_wait', 42]);
    is $answer->{value}{state}{result_state}, 'SUCCESS', 'a job is run, and its run polled' or diag $JSON->encode($answer);
    is $arrived, 'POST /api/2.2/jobs/run-now' . ', GET /api/2.2/jobs/runs/get' x 2, '... by three requests';
    ($answer, $arrived) = through($site, $sdk, \%etl, ['run_now', 7]);
    is "$answer->{class}, $arrived", 'databricks.sdk.errors.platform.PermissionDenied, ', 'a job of no role is refused';
    like $answer->{text}, qr/service 'nightly-etl' may not run the job '7'/, '... in words';

    ($answer, $arrived) = through($site, $sdk, \%etl, ['me_by_secret']);
    is "$answer->{class}, $arrived", 'builtins.ValueError, ', 'the workspace gives no token for a secret';
    like $answer->{text}, qr/\Ainvalid_client: no credential that this location accepts was sent/, '... in the words of OAuth';

    my %engineer = (subject => 'orders-api', claims => '{"groups":["data-eng"]}');
    ($answer, $arrived) = through($site, $sdk, \%engineer, ['download', '/Volumes/main/etl/v/x']);
    is $answer->{value}, 'by the gateway', 'a file is read through the gateway, not from the store' or diag $JSON->encode($answer);

    my %dashboard = (subject => 'dashboard');
    ($answer, $arrived) = through($site, $sql, \%dashboard, ['execute', 'sales', 'SELECT 1']);
    is_deeply $answer->{value}, [['SELECT 1']], 'a statement by Thrift' or diag $JSON->encode($answer);
    ($answer, $arrived) = through($site, $sql, \%dashboard, ['execute', 'sales', 'SELECT 1'],
        with => { use_sea => JSON::PP::true() });
    is_deeply $answer->{value}, [['one']], 'a statement by REST' or diag $JSON->encode($answer);
    like $arrived, qr{DELETE /api/2\.0/sql/statements/}, '... which is closed';
    ($answer, $arrived) = through($site, $sql, \%dashboard, ['execute', 'hr', 'SELECT 1']);
    like $answer->{text}, qr/service 'dashboard' may not use the warehouse 'hr'/, 'a warehouse of no role is refused, in words';
    finish($site, $sdk, $sql);
};

subtest 'synapse.conf' => sub {
    my $site = site('synapse', 'synapse.conf', '10.20.0.5:443', 'https://contoso.dev.azuresynapse.net',
        credential => 'Bearer synapse-credential', more => { certificate => "$prefix/certificates/spiffe" });
    my $azure = client('synapse');
    my %engineer = (subject => 'orders-api', claims => '{"groups":["data-eng"]}');
    my ($answer, $arrived) = through($site, $azure, \%engineer, ['list_pipelines']);
    is_deeply $answer->{value}, ['pipelines-1', 'pipelines-2'], 'the next page is asked for at the gateway'
        or diag $JSON->encode($answer);
    ($answer, $arrived) = through($site, $azure, \%engineer, ['write_pipeline', 'load_orders']);
    is $answer->{value}, 'made', 'so is the operation that a Location tells' or diag $JSON->encode($answer);
    my $run = '0d5f6a6a-0000-4000-8000-000000000001';
    ($answer, $arrived) = through($site, $azure, { subject => 'report' }, ['run_notebook', $run, 'daily-report', 'small']);
    is $answer->{value}{result}{run_status}, 'Succeeded', 'and that of an Operation-Location' or diag $JSON->encode($answer);
    ($answer, $arrived) = through($site, $azure, { subject => 'report' }, ['run_notebook', $run, 'daily-report', 'large']);
    is "$answer->{class}, $arrived", 'azure.core.exceptions.HttpResponseError, ', 'a pool of no role is refused';
    like $answer->{text}, qr/service 'report' may not use the sparkpool 'large'/, '... in words';
    finish($site, $azure);
};

subtest 'dbt-cloud.conf' => sub {
    my $site = site('dbt_cloud', 'dbt-cloud.conf', '10.20.0.6:443', 'https://ab123.us1.dbt.com',
        credential => 'Token dbt-credential');
    my ($dbtc, $cli) = (client('dbtc'), client('dbt_cloud_cli'));
    my %airflow = (subject => 'airflow');
    my ($answer, $arrived) = through($site, $dbtc, \%airflow, ['trigger_and_poll', 1, 22, { cause => 'polled' }]);
    ok $answer->{value}{data}{is_success}, 'a job is run, and its run polled' or diag $JSON->encode($answer);
    ($answer, $arrived) = through($site, $cli, \%airflow, ['run', qw(job get --job-id 22)]);
    ok $answer->{ok}, 'dbt-cloud reads a job' or diag $JSON->encode($answer);
    ($answer, $arrived) = through($site, $dbtc, \%airflow, ['trigger_and_poll', 1, 22, { cause => 'x', git_branch => 'x' }]);
    is $arrived, '', 'a branch of its own is refused';
    finish($site, $dbtc, $cli);
};

done_testing;
