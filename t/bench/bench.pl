#!/usr/bin/env perl
#
# Measures what the module costs beside bare Nginx; scripts/bench prepares and calls it.
#
# usage: bench.pl --nginx FILE --module FILE --tokens FILE [--json FILE] [--quick] [--keep DIR]
#                 [CASE...]

use v5.36;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Getopt::Long qw(GetOptions);
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time);

my $here;
BEGIN { $here = abs_path(dirname(__FILE__)) }
use lib "$here/lib";

use Mesh::Bench::Cases qw(cases config upstream);
use Mesh::Bench::Client;
use Mesh::Bench::Instructions;
use Mesh::Bench::Report qw(table json);
use Mesh::Bench::Server;

# More unknown tokens than a worker keeps (16,384): used in turn, none is ever known.
my ($KNOWN, $UNKNOWN) = (10_000, 17_000);

my %options = (rounds => 7, seconds => 1, count => 400);
GetOptions(\%options, qw(nginx=s module=s tokens=s json=s quick keep=s)) or exit 2;
@options{qw(rounds count)} = (3, 100) if $options{quick};

my @cases = cases(@ARGV);
my $work = $options{keep} ? abs_path($options{keep}) : tempdir('mesh-bench-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $work;
my @servers;
my $parent = $$;
END { if ($$ == ($parent // 0)) { my $status = $?; $_->stop for reverse @servers; $? = $status } }
$SIG{$_} = sub { exit 130 } for qw(INT TERM HUP);

main();

sub main () {
    say STDERR "bench: minting tokens";
    my %signature_us = split ' ', output($options{tokens}, $work, $KNOWN, $UNKNOWN);
    system("$here/../bin/certificates", "$work/tls") == 0 or die "no certificates were made\n";
    my %server = start('');
    # Server and client share one processor. On two, a server that is slow lets the client's fall
    # asleep, and then pays for waking it: more than what is measured here.
    my $everywhere = affinity();
    affinity(processor());
    say STDERR "bench: memory";
    my $memory = memory(\%server);
    for my $case (@cases) {
        say STDERR "bench: $case->{name}";
        $case->{runs} = processor_time($case, \%server);
    }
    stop_all();
    affinity($everywhere);

    unless (Mesh::Bench::Instructions::perf($$, '/dev/null')) {
        say STDERR "bench: instructions, under callgrind";
        %server = start('callgrind-');
        count_instructions(\%server);
        stop_all();
    }

    my $report = {
        machine => machine(), versions => versions(), method => method(),
        cases => \@cases, memory => $memory, signature_us => \%signature_us,
    };
    print table($report);
    json($report, $options{json}) if $options{json};
    return;
}

# === servers ===

# Starts an upstream, a bare Nginx and one with the module; under callgrind with a prefix.
sub start ($prefix) {
    my $affinity = 'worker_cpu_affinity 1' . '0' x processor() . ';';
    my %port = map { $_ => free_port() } qw(upstream bare bare_tls module module_tls);
    my %server;
    $server{upstream} = launch("${prefix}upstream", $port{upstream}, upstream($port{upstream}, $affinity));
    for my $name (qw(bare module)) {
        my $text = config(
            module => $name eq 'module' ? $options{module} : undef, work => $work,
            port => $port{$name}, tls_port => $port{"${name}_tls"},
            upstream => $port{upstream}, affinity => $affinity,
        );
        my %more;
        if ($prefix) {
            mkdir "$work/callgrind-$name-out" or die "$work: $!\n";
            %more = (single => 1,
                command => Mesh::Bench::Instructions::callgrind("$work/callgrind-$name-out"));
        }
        $server{$name} = launch("$prefix$name", $port{$name}, $text, %more);
        $server{$name}{tls_port} = $port{"${name}_tls"};
    }
    return %server;
}

sub launch ($name, $port, $text, %more) {
    my $server = Mesh::Bench::Server->start(
        name => $name, root => $work, port => $port, config => $text, nginx => $options{nginx}, %more);
    push @servers, $server;
    return $server;
}

sub stop_all () {
    $_->stop for reverse splice @servers;
    return;
}

sub free_port () {
    state %given;
    while (1) {
        my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "no port: $!\n";
        my $port = $socket->sockport;
        return $port unless $given{$port}++;
    }
}

# === what is measured ===

# Rounds of both sides in turn; each a hash of nanoseconds, requests and so on.
sub processor_time ($case, $server) {
    my (%next, %runs);
    warm($case, $case->{$_}, $server, \$next{$_}) for qw(base measured);
    for my $round (1 .. $options{rounds}) {
        # Who is first alternates, so that a drift harms neither.
        for my $side ($round % 2 ? qw(base measured) : qw(measured base)) {
            push $runs{$side}->@*, one_run($case, $case->{$side}, $server, \$next{$side});
        }
    }
    return \%runs;
}

# Every token once, but for those that are to be unknown.
sub warm ($case, $side, $server, $next) {
    my $nginx = $server->{ $side->{server} };
    my $count = $case->{unknown} ? 100 : $case->{count} // 100;
    client($case, $nginx)->requests($count, sender($case, $side, $next));
    one_run($case, $side, $server, $next) if $case->{keys};
    return;
}

sub one_run ($case, $side, $server, $next) {
    my $nginx = $server->{ $side->{server} };
    $$next //= 0;
    my $before = $nginx->nanoseconds;
    my $run = $case->{tls} ? run_tls($case, $side, $nginx, $next) : run_wrk($case, $side, $nginx, $next);
    $run->{nanoseconds} = $nginx->nanoseconds - $before;
    return $run;
}

sub run_wrk ($case, $side, $nginx, $next) {
    my @command = (
        Mesh::Bench::Instructions::perf($nginx->worker, "$work/perf"),
        qw(wrk -t1 -c16), "-d$options{seconds}s",
        '-s', "$here/load.lua", "http://127.0.0.1:$nginx->{port}", '--',
        $side->{path}, $case->{tokens} ? "$work/$case->{tokens}" : '-', $case->{count} // 0,
        $$next, $case->{keys} // 0,
    );
    my $text = output(@command);
    my ($requests, $micros, $refused, $broken, $p99) =
        $text =~ /^result (\d+) (\d+) (\d+) (\d+) (\d+)$/m or die "wrk printed: $text\n";
    die "$case->{name}: $refused refusals and $broken broken connections\n", $nginx->complaints
        if $refused || $broken || !$requests;
    $$next += $requests;
    my $run = { requests => $requests, seconds => $micros / 1e6, p99_us => $p99 };
    my $instructions = Mesh::Bench::Instructions::perf_result("$work/perf");
    $run->{instructions} = $instructions / $requests if $instructions;
    return $run;
}

# wrk presents no certificate: one connection of our own, one request at a time.
sub run_tls ($case, $side, $nginx, $next) {
    my $client = $side->{client} //= client($case, $nginx);
    my ($requests, $begun, $send) = (0, time, sender($case, $side, $next));
    while (time < $begun + $options{seconds}) {
        $client->requests(100, $send);
        $requests += 100;
    }
    return { requests => $requests, seconds => time - $begun };
}

sub count_instructions ($server) {
    my %counter = map {
        $_ => Mesh::Bench::Instructions->new($server->{$_}, "$work/callgrind-$_-out")
    } qw(bare module);
    for my $case (@cases) {
        say STDERR "bench: $case->{name}";
        for my $name (qw(base measured)) {
            my $side = $case->{$name};
            my $nginx = $server->{ $side->{server} };
            my $client = client($case, $nginx);
            # A thousand are enough: the count does not grow with the number of tokens or keys.
            my $all = $case->{unknown} ? 0 : min($case->{count} // 1, 1000);
            my $few = { %$case, keys => $case->{keys} && 1000, $all ? (count => $all) : () };
            my $send = sender($few, $side, \my $next);
            my $send_many = sub ($count) { $client->requests($count, $send) };
            $send_many->($case->{keys} ? 1000 : $all);
            $case->{instructions}{$name} =
                $counter{ $side->{server} }->measure($options{count}, $send_many);
        }
    }
    return;
}

# Bytes of a worker's own with 10,000 tokens, of both sides.
sub memory ($server) {
    my $case = { tokens => 'known', count => $KNOWN };
    my %bytes;
    for my $name (qw(bare module)) {
        my $nginx = $server->{$name};
        my $send = sender($case, { path => '/token/static/' }, \my $next);
        my $client = client($case, $nginx);
        $client->requests(100, $send);
        $bytes{$name}{few} = $nginx->private_bytes;
        $client->requests($KNOWN - 100, $send);
        $bytes{$name}{all} = $nginx->private_bytes;
    }
    return { worker_over_bare => $bytes{module}{all} - $bytes{bare}{all}, tokens => $KNOWN,
        per_token => ($bytes{module}{all} - $bytes{module}{few}) / ($KNOWN - 100) };
}

# === requests of our own ===

sub client ($case, $nginx) {
    return Mesh::Bench::Client->connect(
        port => $case->{tls} ? $nginx->{tls_port} : $nginx->{port},
        tls => $case->{tls} && {
            ca => "$work/tls/ca.pem", cert => "$work/tls/spiffe.pem", key => "$work/tls/spiffe.key",
        },
    );
}

# What the next request is, as load.lua has it.
sub sender ($case, $side, $next) {
    my @fields = $case->{tokens} ? map { "Authorization: Bearer $_\r\n" } tokens($case) : ('');
    $$next //= 0;
    my ($path, $keys) = ($side->{path}, $case->{keys});
    return sub () {
        my $number = $$next++;
        my $target = $keys ? sprintf $path, $number % $keys : $path;
        return "GET $target HTTP/1.1\r\nHost: bench\r\n" . $fields[$number % @fields] . "\r\n";
    };
}

sub tokens ($case) {
    open my $in, '<', "$work/$case->{tokens}" or die "$case->{tokens}: $!\n";
    my @tokens;
    while (my $line = <$in>) {
        push @tokens, $line =~ s/\s+\z//r;
        last if @tokens == $case->{count};
    }
    return @tokens;
}

# === what the report says of itself ===

sub machine () {
    open my $in, '<', '/proc/cpuinfo' or return {};
    my ($model) = map { /^model name\s*:\s*(.*)/ } <$in>;
    return { processor => $model, processors => processors(), kernel => (POSIX::uname())[2] };
}

sub versions () {
    my ($nginx) = qx($options{nginx} -v 2>&1) =~ m{nginx/(\S+)};
    my ($wrk) = qx(wrk --version 2>&1) =~ /wrk (\S+)/;
    my ($valgrind) = qx(valgrind --version 2>&1) =~ /(\d\S*)/;
    return { nginx => $nginx, wrk => $wrk, valgrind => $valgrind };
}

sub method () {
    return {
        rounds => $options{rounds}, seconds => $options{seconds}, connections => 16,
        instructions => scalar(Mesh::Bench::Instructions::perf($$, '/dev/null')) ? 'perf' : 'callgrind',
    };
}

sub processors () {
    state $count = qx(nproc) + 0;
    return $count;
}

# The last of those that we may use: interrupts like the first.
sub processor () {
    state $last = affinity() =~ /(\d+)$/ ? $1 : 0;
    return $last;
}

# The processors that this process and its children may use; sets them first when asked to.
sub affinity ($list = undef) {
    output(qw(taskset -cp), $list, $$) if defined $list;
    return output(qw(taskset -cp), $$) =~ /: (\S+)$/ ? $1 : die "taskset tells no processors\n";
}

# Runs a command and returns what it prints.
sub output (@command) {
    open my $out, '-|', @command or die "$command[0]: $!\n";
    my $text = do { local $/; <$out> };
    close $out or die "$command[0] failed: $text\n";
    return $text;
}

sub min (@numbers) { return (sort { $a <=> $b } @numbers)[0] }
