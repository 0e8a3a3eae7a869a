# The policies of nginx-conf/ hold what their test files say: by meshctl, and by Nginx, to which each
# line is a real request with a token of its identity.

use v5.36;

use lib 't/lib';

use JSON::PP qw(decode_json encode_json);
use Test::More;

use Test::Mesh::Credentials qw(meshctl meshctl_path project_dir);
use Test::Mesh::Example;
use Test::Mesh::File;

my $prefix = Test::Mesh::Example::new_prefix();

my %name = (
    kafka_rest => 'kafka.gateway.example', databricks => 'databricks.gateway.example',
    synapse => 'synapse.gateway.example', dbt_cloud => 'dbt.gateway.example',
);
my %upstream = (
    'kafka-rest' => '127.0.0.1:8082', databricks => '10.20.0.4:443',
    synapse => '10.20.0.5:443', 'dbt-cloud' => '10.20.0.6:443',
);
my @platforms = sort keys %upstream;

# The policy's addresses are those behind a balancer, which the tests are.
sub believe_address ($text) {
    $$text =~ s/^http \{\K/\nset_real_ip_from 127.0.0.1; real_ip_header X-Test-Address;/m or die;
    return;
}

# A token of an identity, and a certificate if it has a SPIFFE ID.
sub credentials_of ($example, $identity) {
    my %with;
    $with{certificate} = 'spiffe' if defined $identity->{spiffe_id};
    return %with unless defined $identity->{issuer};
    my %claims = ($identity->{claims} // {})->%*;
    $claims{groups} = $identity->{groups} if $identity->{groups};
    $with{token} = $example->token(subject => $identity->{service}, claims => encode_json(\%claims));
    return %with;
}

# What Nginx decides of a line: decision, rule and reason by its log.
sub decided ($example, $test, @name) {
    my %with = credentials_of($example, $test->{identity});
    my @fields = map { "$_->[0]: $_->[1]" } ($test->{headers} // [])->@*;
    push @fields, "X-Test-Address: $test->{address}" if defined $test->{address};
    my $response = $example->request($test->{method}, $test->{target}, %with, @name,
        headers => \@fields, exists $test->{body} ? (body => $test->{body}) : ());
    my @heads = $example->heard;
    my $is_allowed = $response->{status} == 200 && @heads == 1;
    my $logged = $example->logged;
    my $decision = $is_allowed ? 'allowed' : 'refused';
    is($logged->{decision}, $decision, "Nginx does what it logs: $test->{name}")
        or diag($response->{head}, $response->{body}, @heads);
    return join ' ', $decision, $logged->{rule} || '-', $logged->{reason} || '-';
}

sub shown ($told) { return join ' ', $told->{decision}, map { $told->{$_} // '-' } qw(rule reason) }

for my $conf (@platforms, 'platforms') {
    subtest $conf => sub {
        my ($policy, $tests) = map { project_dir() . "/nginx-conf/policies/$conf.$_" } qw(yaml jsonl);
        like(meshctl('policy', 'test', $policy, $tests), qr/\A[1-9]\d* passed, 0 failed\n\z/, 'meshctl policy test');
        unlike(meshctl('policy', 'check', '--issuer', 'idp', $policy), qr/warning/, 'nothing to warn of');
        like(meshctl('policy', 'coverage', $policy, '--tests', $tests), qr/\A(\d+) of \1 rules are touched\n\z/,
            'each rule is touched');
        my @told = map { decode_json($_) } split /\n/, meshctl('policy', 'explain', $policy, '--cases', $tests);
        my @tests = map { decode_json($_) } split /\n/, slurp($tests);
        is(scalar @told, scalar @tests, 'each line is answered');

        my $text = slurp("$prefix/$conf.conf");
        my %words = map { (split ' ')[0] => $_ } $text =~ /^ *mesh_platform (.*);$/mg;
        my $example = Test::Mesh::Example->start(
            prefix => $prefix, conf => "$conf.conf", edit => \&believe_address,
            certificate => "$prefix/tls/upstream", upstream => $upstream{$conf} // [values %upstream]);
        for my $at (0 .. $#tests) {
            my $test = $tests[$at];
            my ($word) = split / /, $test->{platform};
            is($test->{platform}, $words{$word}, "the settings are the file's: $test->{name}");
            my @name = $conf eq 'platforms' ? (name => $name{$word}) : ();
            is(decided($example, $test, @name), shown($told[$at]), "Nginx and meshctl decide alike: $test->{name}");
        }
        $example->stop;
    };
}

# === One file of all four ===

# What a server says, but for what differs between one that is alone and one of four.
sub server_of ($text, $word) {
    my $differs = qr/(?:listen|server_name|ssl_\w+|mesh_authenticate\ (?!off)\w+|mesh_certificate_name
        |mesh_failure_limit|mesh_limit\ api|mesh_policy|proxy_pass)\b/x;
    for my $server ($text =~ /^    server \{\n(.*?)^    \}$/msg) {
        next if $server !~ /^ *mesh_platform $word\b/m;
        return join "\n", grep { length && !/\A(?:#|$differs)/ } map { s/\A +//r } split /\n/, $server;
    }
    die "no server of $word\n";
}

my $all = slurp(project_dir() . '/nginx-conf/platforms.conf');
for my $conf (@platforms) {
    my $alone = slurp(project_dir() . "/nginx-conf/$conf.conf");
    my $word = $conf =~ tr/-/_/r;
    is(server_of($all, $word), server_of($alone, $word), "platforms.conf has the server of $conf.conf");
    for my $map ($alone =~ /^(    map .*?^    \}\n)/msg) {
        ok(index($all, $map) >= 0, '... and its map');
    }
}

done_testing;
