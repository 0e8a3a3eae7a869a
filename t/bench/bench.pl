#!/usr/bin/env perl
#
# Measures what the module costs beside bare Nginx; scripts/bench prepares and calls it.
#
# usage: bench.pl --nginx FILE --module FILE --tokens FILE [--is TEXT] [--against FILE
#                 [--against-is TEXT]] [--gate GATE]... [--check] [--peer NAME[=FILE]]...
#                 [--instructions|--time] [--markdown] [--json FILE] [--quick] [--keep DIR]
#                 [CASE...]
#
# The options are those of scripts/bench, but for what it finds out: the files, and what they are.

use v5.36;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use Getopt::Long qw(GetOptions);
use POSIX ();

my $here;
BEGIN { $here = abs_path(dirname(__FILE__)) }
use lib "$here/lib", "$here/../lib";

use Mesh::Bench::Cases qw(cases);
use Mesh::Bench::Gate qw(gate trespasses);
use Mesh::Bench::Report qw(tables manual write_json);
use Mesh::Bench::Run;
use Mesh::Bench::Side;
use Test::Mesh::File;
use Test::Mesh::Process qw(output_of);

# Known and unknown tokens. For a time, more unknown ones than a worker keeps (16,384): used in turn,
# none is ever known.
my @MANY = (10_000, 17_000);
my @FEW = (1_000, 1_000);

my %options = (rounds => 7, seconds => 1, count => 200, gate => [], peer => []);
GetOptions(\%options, qw(nginx=s module=s tokens=s is=s against=s against-is=s gate=s@ check peer=s@
    instructions time markdown json=s quick keep=s)) or exit 2;
@options{qw(rounds count)} = (3, 100) if $options{quick};
my @wrong = (
    $options{gate}->@* && !defined $options{against} ? '--gate needs --against' : (),
    $options{instructions} && $options{time} ? '--instructions and --time exclude each other' : (),
    $options{time} && ($options{check} || $options{gate}->@*) ? 'gates are on instructions' : (),
);
my (@gates, @cases, @sides);
unless (@wrong) {
    eval {
        @gates = map { gate($_) } $options{gate}->@*;
        @cases = cases(@ARGV);
        @sides = sides();
        1;
    } or push @wrong, $@;
}
do { warn "bench: $_\n" for map { s/\n\z//r } @wrong; exit 2 } if @wrong;

my $work = $options{keep} ? abs_path($options{keep}) : tempdir('mesh-bench-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $work;
my $run = Mesh::Bench::Run->new(
    work => $work, script => "$here/load.lua", nginx => $options{nginx}, sides => \@sides,
    prepare => \&mint_proofs, %options{qw(rounds seconds count)},
);
my $parent = $$;
END { if ($$ == ($parent // 0)) { my $status = $?; $run->stop_all if $run; $? = $status } }
$SIG{$_} = sub { exit 130 } for qw(INT TERM HUP);

exit main();

sub main () {
    my $report = {
        machine => machine(), versions => versions(), cases => \@cases,
        method => { connections => 16, %options{qw(rounds seconds count)} },
        sides => [map { { name => $_->{name}, is => $_->{is} } } @sides],
    };
    progress('minting tokens');
    my @tokens = $options{instructions} ? @FEW : @MANY;
    $report->{signature_us} = { split ' ', output_of($options{tokens}, $work, @tokens) };
    system("$here/../bin/certificates", "$work/tls") == 0 or die "no certificates were made\n";
    # Server and client share one processor. On two, a server that is slow lets the client's fall
    # asleep, and then pays for waking it: more than what is measured here.
    my $everywhere = affinity();
    affinity(processor()) unless $options{instructions};
    $run->start_upstream;
    measure_time($report) unless $options{instructions};
    affinity($everywhere);
    unless ($options{time}) {
        for my $case (@cases) {
            progress("$case->{name}: instructions");
            $run->count_instructions($case);
        }
    }
    $run->stop_all;

    print $options{markdown} ? manual($report) : tables($report);
    write_json($report, $options{json}) if $options{json};
    return judged();
}

sub measure_time ($report) {
    $run->start_all;
    progress('memory');
    $report->{memory} = $run->memory($MANY[0]);
    for my $case (@cases) {
        progress("$case->{name}: time");
        $run->time($case);
    }
    $run->stop;
    return;
}

# The exit code.
sub judged () {
    return 0 unless $options{check} || defined $options{against};
    my $status = 0;
    for my $case (@cases) {
        for (trespasses($case, \@gates)) {
            warn "bench: $case->{name}: $_\n";
            $status = 3;
        }
    }
    return $status;
}

# Bare, old, new and peers.
sub sides () {
    my %nginx = (nginx => $options{nginx});
    my $ours = "$here/sides/mesh";
    my @found = (Mesh::Bench::Side->new(name => 'bare', lines => "$here/sides/bare", %nginx));
    push @found, Mesh::Bench::Side->new(name => 'old', lines => $ours, file => abs_path($options{against}),
        is => $options{'against-is'} // $options{against}, %nginx) if defined $options{against};
    push @found, Mesh::Bench::Side->new(name => 'new', lines => $ours, file => abs_path($options{module}),
        is => $options{is}, %nginx);
    for ($options{peer}->@*) {
        my ($name, $file) = split /=/, $_, 2;
        my $lines = $name =~ m{/} ? $name : "$here/sides/$name";
        push @found, Mesh::Bench::Side->new(name => basename($name), lines => $lines,
            file => $file, is => $file, %nginx);
    }
    return @found;
}

# Proofs expire within minutes.
sub mint_proofs ($case, $count) {
    output_of($options{tokens}, $work, 'proofs', $count) if $case->{proofs};
    return;
}

# === what the report says of itself ===

sub progress ($text) { say STDERR "bench: $text"; return }

sub machine () {
    my ($model) = slurp('/proc/cpuinfo', '') =~ /^model name\s*:\s*(.*)/m;
    return { processor => $model, processors => qx(nproc) + 0, kernel => (POSIX::uname())[2] };
}

sub versions () {
    my ($nginx) = qx($options{nginx} -v 2>&1) =~ m{nginx/(\S+)};
    my ($wrk) = qx(wrk --version 2>&1) =~ /wrk (\S+)/;
    my ($valgrind) = qx(valgrind --version 2>&1) =~ /(\d\S*)/;
    return { nginx => $nginx, wrk => $wrk, valgrind => $valgrind };
}

# The last of those that we may use: interrupts like the first.
sub processor () {
    state $last = affinity() =~ /(\d+)$/ ? $1 : 0;
    return $last;
}

# The processors that this process and its children may use; sets them first when asked to.
sub affinity ($list = undef) {
    output_of(qw(taskset -cp), $list, $$) if defined $list;
    return output_of(qw(taskset -cp), $$) =~ /: (\S+)$/ ? $1 : die "taskset tells no processors\n";
}

