package Mesh::Bench::Report;

# What was found: a table in Markdown, and JSON.

use v5.36;

use Exporter qw(import);
use JSON::PP ();

our @EXPORT_OK = qw(table json);

# One line a case, and what is needed to read it.
sub table ($report) {
    my ($machine, $versions, $method) = $report->@{qw(machine versions method)};
    my $text = "$machine->{processor}, $machine->{processors} processors, Linux $machine->{kernel}, "
        . "Nginx $versions->{nginx}, wrk $versions->{wrk}\n"
        . "Processor time: medians of $method->{rounds} runs of $method->{seconds} s each, in turn; "
        . "one worker, $method->{connections} kept connections (certificate: one), clients on the same processor.\n"
        . 'Instructions: of the user, by '
        . ($method->{instructions} eq 'perf' ? 'the processor' : "callgrind $versions->{valgrind}") . ".\n\n";
    my @rows = (
        ['case', 'CPU us, bare', 'module', 'over', 'ratio', 'instructions, bare', 'module', 'over', 'goal', ''],
        map { row($_) } $report->{cases}->@*,
    );
    my @width = map { my $column = $_; max(map { length $_->[$column] } @rows) } 0 .. $#{ $rows[0] };
    my $line = sub ($row) {
        my @cells = map { sprintf $_ == 0 || $_ > 7 ? '%-*s' : '%*s', $width[$_], $row->[$_] } 0 .. $#$row;
        return '| ' . join(' | ', @cells) . " |\n";
    };
    $text .= $line->($rows[0]);
    $text .= '| ' . join(' | ', map { $_ == 0 || $_ > 7 ? '-' x $width[$_] : '-' x ($width[$_] - 1) . ':' } 0 .. $#width) . " |\n";
    $text .= $line->($_) for @rows[1 .. $#rows];
    my $signature = $report->{signature_us};
    $text .= "\nA signature by itself: " . join(', ', map { "$_ $signature->{$_} us" } sort keys %$signature) . ".\n";
    my $memory = $report->{memory};
    $text .= sprintf "Memory: a worker with %d tokens of 800 bytes has %.1f MB more than a bare one; %d bytes a token.\n",
        $memory->{tokens}, $memory->{worker_over_bare} / 1e6, $memory->{per_token};
    return $text;
}

sub row ($case) {
    my $found = $case->{found} = summary($case);
    my @goals = goals($case, $found);
    my $instructions = $found->{instructions};
    return [
        $case->{name},
        (map { sprintf '%.2f', $_ } $found->@{qw(base_us measured_us over_us ratio)}),
        ($instructions ? map { sprintf '%.0f', $_ } $instructions->@{qw(base measured over)} : ('') x 3),
        join(', ', map { $_->[0] } @goals),
        !@goals ? '' : (grep { !$_->[1] } @goals) ? 'missed' : 'met',
    ];
}

# Medians of the runs, and the median of the differences within each round.
sub summary ($case) {
    my %micros = map {
        $_ => [map { $_->{nanoseconds} / 1000 / $_->{requests} } $case->{runs}{$_}->@*]
    } qw(base measured);
    my ($base, $measured) = map { median($micros{$_}->@*) } qw(base measured);
    my @over = map { $micros{measured}[$_] - $micros{base}[$_] } 0 .. $#{ $micros{base} };
    my %found = (
        base_us => $base, measured_us => $measured, over_us => median(@over), ratio => $base / $measured,
        over_us_least => (sort { $a <=> $b } @over)[0], over_us_most => (sort { $a <=> $b } @over)[-1],
        map { ; "${_}_requests_per_second" => median(map { $_->{requests} / $_->{seconds} } $case->{runs}{$_}->@*) }
            qw(base measured),
    );
    my %count = ($case->{instructions} // {})->%*;
    for my $side (qw(base measured)) {
        my @counted = grep { defined } map { $_->{instructions} } $case->{runs}{$side}->@*;
        $count{$side} //= median(@counted) if @counted;
    }
    if (defined $count{base} && defined $count{measured}) {
        $found{instructions} = { %count, over => $count{measured} - $count{base},
            ratio => $count{base} / $count{measured} };
    }
    return \%found;
}

# What a case should cost, in words, and whether it does.
sub goals ($case, $found) {
    my $goal = $case->{goal} // return;
    my @goals;
    push @goals, [sprintf('ratio >= %.2f', $goal->{ratio}), $found->{ratio} >= $goal->{ratio}]
        if $goal->{ratio};
    push @goals, ["<= $goal->{micros} us over", $found->{over_us} <= $goal->{micros}] if $goal->{micros};
    push @goals, ["<= $goal->{instructions} over", $found->{instructions}{over} <= $goal->{instructions}]
        if $goal->{instructions} && $found->{instructions};
    return @goals;
}

sub json ($report, $path) {
    my @cases = map {
        my $case = $_;
        +{ map { $_ => $case->{$_} } grep { exists $case->{$_} } qw(name tokens count keys tls goal found runs) }
    } $report->{cases}->@*;
    my $text = JSON::PP->new->canonical->pretty->encode({ %$report, cases => \@cases });
    open my $out, '>:raw', $path or die "$path: $!\n";
    print {$out} $text;
    close $out or die "$path: $!\n";
    return;
}

sub median (@numbers) {
    my @sorted = sort { $a <=> $b } @numbers;
    my $middle = $#sorted / 2;
    return ($sorted[$middle] + $sorted[$middle + 0.5]) / 2;
}

sub max (@numbers) { return (sort { $b <=> $a } @numbers)[0] }

1;
