# What scripts/bench decides and prints; that it measures is seen when it runs.

use v5.36;

use lib qw(t/lib t/bench/lib);

use File::Temp ();
use Test::More;

use Mesh::Bench::Cases qw(cases locations);
use Mesh::Bench::Gate qw(gate trespasses);
use Mesh::Bench::Instructions;
use Mesh::Bench::Load;
use Mesh::Bench::Report qw(tables manual);
use Mesh::Bench::Side;
use Test::Mesh::File;

my %nginx = (nginx => '/usr/sbin/nginx');

subtest 'gates' => sub {
    my %found = (name => 'chain-static', most => 3500,
        instructions => { old => { over => 4000 }, new => { over => 3000 } });
    my $trespasses = sub ($case, @gates) { scalar trespasses($case, [map { gate($_) } @gates]) };
    is_deeply [trespasses(\%found, [])], [], 'less than before';
    is_deeply [trespasses(\%found, [gate('0.75'), gate('chain=0')])], [], 'just that part';
    is_deeply [trespasses(\%found, [gate('0.74')])], ['0.750 of before, 0.74 at most'], 'a larger part';
    is_deeply [trespasses(\%found, [gate('token=0.1')])], [], 'the gate of another case';
    $found{instructions}{new}{over} = 4100;
    is_deeply [trespasses(\%found, [gate('100')])], ['4100 instructions over bare, 3500 at most'],
        'a bound of the case itself';
    delete $found{most};
    is_deeply [trespasses(\%found, [gate('99')])], ['100 instructions more than before, 99 at most'],
        'more than before';
    delete $found{instructions}{old};
    is_deeply [trespasses(\%found, [gate('99')])], [], 'nothing before';
    delete $found{instructions};
    is_deeply [trespasses(\%found, [gate('99')])], [], 'nothing at all';
    for my $text ('', 'x', '-1', '1.', 'chain=', '=1', "1\n") {
        ok !eval { gate($text); 1 }, "not a gate: '$text'";
    }
};

subtest 'sides' => sub {
    my %given = (work => '/w', root => '/r', port => 1, tls => 2, http2 => 3, upstream => 4);
    my ($bare, $mesh) = map {
        Mesh::Bench::Side->new(name => $_, lines => "t/bench/sides/$_", file => '/dev/null', %nginx)
    } qw(bare mesh);
    my %text = (bare => $bare->config(%given), mesh => $mesh->config(%given));
    unlike $text{bare}, qr/mesh/, 'bare Nginx has nothing of ours';
    like $text{mesh}, qr{^load_module /dev/null;$}m, 'the module is loaded';
    for my $location (locations()) {
        for my $side ($bare, $mesh) {
            like $text{ $side->{name} }, qr{location /$location/(?:static|proxied)/ \{}, "$side->{name}: $location";
        }
        ok $mesh->covers($location), "$location is measured with the module";
    }
    my $directory = File::Temp->newdir;
    my $refused = sub ($text, $message) {
        spew("$directory/side", $text);
        eval { Mesh::Bench::Side->new(name => 'peer', lines => "$directory/side", %nginx) };
        like $@, $message, $text =~ s/\n/ /gr;
    };
    $refused->("[nowhere]\n", qr/no such section: \[nowhere\]/);
    $refused->("load_module x;\n", qr/:1: a line before the first section/);
    $refused->("# How to get it.\n[main]\nload_module %file%;\n", qr/peer needs a file: peer=FILE\nHow to get it\.\n/);
};

subtest 'dumps' => sub {
    my $directory = File::Temp->newdir;
    my $counter = Mesh::Bench::Instructions->new(undef, "$directory");
    my $write = sub ($number, $text) { spew("$directory/callgrind.out.$number", $text) };
    is $counter->next, undef, 'none yet';
    $write->(1, "events: Ir\n");
    is $counter->next, undef, 'not complete';
    $write->(1, "events: Ir\ntotals: 12\n");
    $write->(2, "totals: 30\n");
    is_deeply [map { scalar $counter->next } 1 .. 3], [12, 30, undef], 'each once';
};

subtest 'tables' => sub {
    my %report = (
        machine => { processor => 'P', processors => 2, kernel => '6' },
        versions => { nginx => '1', wrk => '2', valgrind => '3' }, method => { rounds => 7, seconds => 1 },
        sides => [map { { name => $_, is => $_ eq 'bare' ? undef : "a $_" } } qw(bare old new)],
        cases => [
            { name => 'chain-static', row => 'chain', most => 3500, goal => { instructions => 2900 },
                instructions => { bare => { count => 16_000, over => 0 }, old => { over => 9735 }, new => { over => 3400 } },
                micros => { bare => { median => 4, least => 3 }, new => { median => 5, least => 4, base => 4, over => 1, ratio => 0.8 } } },
            { name => 'chain-proxied', row => 'chain',
                instructions => { bare => { count => 26_000, over => 0 }, old => { over => 10_249 }, new => { over => 3900 } } },
        ],
    );
    my $text = tables(\%report);
    like $text, qr/^new: a new$/m, 'which build it is';
    like $text, qr/^\| chain-static +\| 16000 \| +9735 \| +3400 \| +-6335 \| 0\.349 \| 3500 \| +2900: missed by 500 \|$/m, 'instructions';
    my $row = qr{^\| chain \| +4\.00 / +\| +5\.00 / +\| +1\.00 / +\| 0\.80 / +\| +9,735 / 10,249 \| +3,400 / 3,900 \| 0\.349 / 0\.381 \|$}m;
    like manual(\%report), $row, 'cases of a row in one line';
    delete $_->{micros} for $report{cases}->@*;
    like manual(\%report), qr{^\| chain \| +9,735 / 10,249 \| +3,400 / 3,900 \| 0\.349 / 0\.381 \|$}m, 'without times';
    $report{sides} = [grep { $_->{name} ne 'old' } $report{sides}->@*];
    like manual(\%report), qr{^\| chain \| +3,400 / 3,900 \|$}m, 'without a build before';
};

is scalar(grep { !defined $_->{row} } cases()), 0, 'every case has its row in the manual';
ok !eval { cases('nothing'); 1 }, 'a case that is not there';

done_testing;
