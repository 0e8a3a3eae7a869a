# The policy that README shows decides as README says, by Nginx and by meshctl.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials qw(meshctl_path project_dir);
use Test::Mesh::Example;
use Test::Mesh::File;

my $readme = slurp(project_dir() . '/README.md');
my ($section) = $readme =~ /^## A policy\n(.*?)^## /ms or die 'README has no policy';
my ($policy) = $section =~ /^```yaml\n(.*?)^```$/ms or die 'README shows no policy';
my ($console) = $section =~ /^```console\n(.*?)^```$/ms or die 'README shows no requests';
my ($lines) = $section =~ /`(mesh_platform [^`]+;)`/ or die 'README shows no directives';

# Each command, and what it answers.
my @shown = map { [split /(?<!\\)\n/, $_, 2] } grep { length } split /^\$ /m, $console;
my ($refused) = map { $_->[1] } grep { $_->[0] =~ /\Acurl/ } @shown;
my ($explain, $explained) = map { @$_ } grep { $_->[0] =~ /\Ameshctl policy explain/ } @shown;

my $prefix = Test::Mesh::Example::new_prefix();
spew("$prefix/policy.yaml", $policy);

sub says ($command) {
    my $meshctl = meshctl_path();
    $command =~ s/\Ameshctl/$meshctl/ or die $command;
    return scalar qx{cd $prefix && $command 2>&1};
}

subtest 'meshctl' => sub {
    is(says('meshctl policy check --issuer idp policy.yaml'), "1 services, 0 groups, 12 roles, 1 bindings, 1 denials\n",
        'the policy is good, and nothing is to be warned of');
    is(says($explain), $explained, 'it explains the decision so');
};

subtest 'Nginx' => sub {
    my $example = Test::Mesh::Example->start(
        prefix => $prefix, conf => 'nginx.conf', upstream => '127.0.0.1:8081',
        edit => sub ($text) { $$text =~ s/mesh_authenticate token;\K/ $lines/ or die });
    my @etl = (token => $example->token(subject => 'nightly-etl'), headers => ['Content-Type: application/vnd.kafka.json.v2+json'],
        body => '{"records":[]}');
    $example->is_served('nightly-etl', 'a topic of the role', POST => '/topics/orders.eu', @etl);
    my ($target) = $console =~ m{http://127\.0\.0\.1:8080(/\S+)};
    my $response = $example->is_refused(403, 'what README refuses', POST => $target, @etl);
    my $steady = sub ($text) { $text =~ s/\b[0-9a-f]{32}\b/REFERENCE/r =~ s/\n\z//r };
    is($steady->($response->{body}), $steady->($refused), 'the client reads it so');
    $example->is_refused(403, 'what no binding allows', POST => '/topics/payments', @etl);
    $example->stop;
};

subtest 'what else it says of operations' => sub {
    my %name = ('Kafka REST' => 'kafka_rest', Databricks => 'databricks', 'Azure Synapse' => 'synapse', 'dbt Cloud' => 'dbt_cloud');
    for my $platform (sort keys %name) {
        my ($count) = $section =~ /^\| \Q$platform\E[^|]*\| ([\d,]+) \|/m or die "no row of $platform";
        my $operations = () = slurp(project_dir() . "/t/platform/routes/$name{$platform}.tsv") =~ /^(?!method\t).+/mg;
        is($count =~ tr/,//dr, $operations, "$platform");
    }
};

done_testing;
