# A key set that changes counts in every worker, however it was written: no reload.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Load qw(each_worker statuses token_server);
use Test::Mesh::Rewrite;
use Test::Mesh::Server;

my $dir = tempdir(CLEANUP => 1);
my @names = qw(first second third);
new_keys($dir, @names);
# Seconds for which a file was halved or gone.
my $longest_gap = 0;
my %set = map { $_ => slurp("$dir/$_.set") } @names;

# Each file begins with the first key, and is written anew with each of the others.
my @ways = sort keys %REWRITES;
my %number = map { $ways[$_] => $_ } keys @ways;
my $conf = '';
for my $number (0 .. $#ways) {
    mkdir "$dir/$number";
    rewrite($ways[$number], 'first');
    $conf .= <<"END";
mesh_issuer issuer$number {
    issuer https://issuer$number.example;
    audience mesh;
    jwks $dir/$number/keys.json;
}
END
}
# A file that has settled is not read twice.
sleep 0.3;
my $server = Test::Mesh::Server->start($conf . token_server(), workers => 2);
my @workers = $server->worker_pids;
my $clients = each_worker($server, '/t');

is statuses_by($_, 'first'), '200 200', "$_: the first key is in force" for @ways;
is statuses_by($_, 'second'), '401 401', "$_: the second one is not" for @ways;
for my $change ([qw(first second)], [qw(second third)]) {
    my ($old, $new) = @$change;
    # The stamps of the version before have settled, as in life.
    sleep 0.3;
    my %began;
    for my $name (@ways) {
        $began{$name} = time;
        rewrite($name, $new);
        $longest_gap = max($longest_gap, time - $began{$name}) if Test::Mesh::Rewrite::is_torn($name);
    }
    my %waiting = map { $_ => 1 } @ways;
    my %took;
    while (%waiting && time - $began{ $ways[-1] } < 120) {
        sleep 0.05;
        for my $name (keys %waiting) {
            next if statuses_by($name, $new) ne '200 200' || statuses_by($name, $old) ne '401 401';
            $took{$name} = time - $began{$name};
            delete $waiting{$name};
        }
    }
    for my $name (@ways) {
        ok defined $took{$name}, "$name: the $new key replaces the $old one in both workers";
        note sprintf '%s: %.2f s', $name, $took{$name} // 'Inf';
    }
}
is join(' ', sort $server->worker_pids), join(' ', sort @workers), 'by the same workers';

# Worker 0 speaks for all. Its messages are told with the next turn of its timer.
for my $number (0 .. $#ways) {
    $server->await("messages of issuer$number", sub { (my @told = $server->log_lines(qr/\[notice\].*"issuer$number"/)) >= 2 });
}
# In which more would be told.
sleep 0.6;
for my $number (0 .. $#ways) {
    my @told = $server->log_lines(qr/\[notice\].*"issuer$number"/);
    is @told, 2, "$ways[$number]: each change is told once" or diag @told;
}
my @errors = $server->error_log =~ /.*\[(?:error|warn)\].*/g;
# A file that is halved or gone for longer is one, and a machine may stop us just there.
my $is_slow = $longest_gap > 0.5;
$server->expect_log(qr/\[(?:error|warn)\].*keys\.json/) if $is_slow;
is @errors, 0, 'nothing of it is an error' or diag @errors unless $is_slow;
$server->stop;
done_testing;

sub rewrite ($way, $name) { return $REWRITES{$way}->("$dir/$number{$way}/keys.json", $set{$name}) }

# What the workers answer to a token of that key, by the way that its issuer's file is written.
sub statuses_by ($name, $key) {
    my $number = $number{$name};
    my $bearer = bearer(key => "$dir/$key.jwk", issuer => "https://issuer$number.example");
    return statuses($clients, '/t', $bearer);
}

