package Mesh::Bench::Report;

# What was found: tables of all sides, the table of the manual, and JSON.

use v5.36;

use Exporter qw(import);
use JSON::PP ();

use Test::Mesh::File;

our @EXPORT_OK = qw(tables manual median write_json);

# One line a case, and what is needed to read it.
sub tables ($report) {
    my $text = heading($report);
    my @cases = $report->{cases}->@*;
    $text .= "Instructions of the user a request, by callgrind $report->{versions}{valgrind}.\n\n"
        . instructions($report) . "\n" if grep { $_->{instructions} } @cases;
    $text .= "Processor time a request in microseconds: medians of $report->{method}{rounds} runs of "
        . "$report->{method}{seconds} s each, in turn.\n\n" . micros($report) . "\n"
        if grep { $_->{micros} } @cases;
    return $text . closing($report);
}

sub heading ($report) {
    my ($machine, $versions) = $report->@{qw(machine versions)};
    return join '', "$machine->{processor}, $machine->{processors} processors, "
        . "Linux $machine->{kernel}, Nginx $versions->{nginx}, wrk $versions->{wrk}.\n",
        map { "$_->{name}: $_->{is}\n" } grep { defined $_->{is} } $report->{sides}->@*;
}

sub closing ($report) {
    my $text = '';
    my $signature = $report->{signature_us};
    $text .= 'A signature by itself: ' . join(', ', map { "$_ $signature->{$_} us" } sort keys %$signature)
        . ".\n" if $signature;
    for my $side (sort keys(($report->{memory} // {})->%*)) {
        my $memory = $report->{memory}{$side};
        $text .= sprintf "Memory, $side: a worker with %d tokens of 800 bytes has %.1f MB more than a "
            . "bare one; %d bytes a token.\n", $memory->@{qw(tokens)}, $memory->{over_bare} / 1e6,
            $memory->{per_token};
    }
    return $text;
}

sub instructions ($report) {
    my @sides = map { $_->{name} } grep { $_->{name} ne 'bare' } $report->{sides}->@*;
    my $is_old = grep { $_ eq 'old' } @sides;
    my @rows;
    for my $case ($report->{cases}->@*) {
        my $found = $case->{instructions} // next;
        my ($old, $new) = map { ($found->{$_} // {})->{over} } qw(old new);
        my $is_both = defined $old && defined $new;
        push @rows, [
            $case->{name}, whole(($found->{bare} // {})->{count}),
            (map { whole(($found->{$_} // {})->{over}) } @sides),
            $is_old ? ($is_both ? (sprintf('%+.0f', $new - $old), share_of($new, $old)) : ('', '')) : (),
            $case->{most} // '', goal($case),
        ];
    }
    return table(['case', 'bare', (map { "$_ over" } @sides),
        $is_old ? qw(difference ratio) : (), 'most', 'goal'], @rows);
}

sub share_of ($new, $old) { return $old ? sprintf '%.3f', $new / $old : '' }

sub goal ($case) {
    my $goal = ($case->{goal} // {})->{instructions} // return '';
    my $new = ($case->{instructions}{new} // {})->{over} // return $goal;
    return $new <= $goal ? "$goal: met" : sprintf '%d: missed by %.0f', $goal, $new - $goal;
}

sub micros ($report) {
    my @sides = map { $_->{name} } grep { $_->{name} ne 'bare' } $report->{sides}->@*;
    my @rows;
    for my $case ($report->{cases}->@*) {
        my $found = $case->{micros} // next;
        push @rows, [
            $case->{name}, map({ hundredths($_) } ($found->{bare} // {})->@{qw(median least)}),
            map { my $side = $found->{$_} // {}; map { hundredths($_) } $side->@{qw(median least over ratio)} } @sides,
        ];
    }
    return table(['case', 'bare', 'least', map { ($_, 'least', 'over', 'ratio') } @sides], @rows);
}

# The table of the manual: the cases of a row in one line, and the columns that were measured.
sub manual ($report) {
    my $is_timed = grep { $_->{micros} } $report->{cases}->@*;
    my $is_against = grep { $_->{name} eq 'old' } $report->{sides}->@*;
    my (@rows, %seen);
    for my $case ($report->{cases}->@*) {
        next if $seen{ $case->{row} }++;
        my @cases = grep { $_->{row} eq $case->{row} } $report->{cases}->@*;
        my $joined = sub ($values) {
            my @values = map { $values->($_) } @cases;
            return (grep { length } @values) ? join ' / ', @values : '';
        };
        my $row = sub ($what, $side) {
            my $micros = sub ($name) {
                return $joined->(sub ($it) { hundredths((($it->{micros} // {})->{$side} // {})->{$name}) });
            };
            my $over = sub ($of) { $joined->(sub ($it) { grouped((($it->{instructions} // {})->{$of} // {})->{over}) }) };
            my $ratio = sub ($it) {
                my ($old, $new) = map { (($it->{instructions} // {})->{$_} // {})->{over} } 'old', $side;
                return defined $old && defined $new ? share_of($new, $old) : '';
            };
            push @rows, [
                $what, ($is_timed ? map { $micros->($_) } qw(base median over ratio) : ()),
                ($is_against ? $over->('old') : ()), $over->($side), ($is_against ? $joined->($ratio) : ()),
            ];
        };
        $row->($case->{row}, 'new');
        for my $side (map { $_->{name} } $report->{sides}->@*) {
            next if $side =~ /^(?:bare|old|new)$/;
            $row->("for comparison: $side", $side)
                if grep { ($_->{micros} // {})->{$side} || ($_->{instructions} // {})->{$side} } @cases;
        }
    }
    return heading($report) . "\n" . table(
        ['what', ($is_timed ? ('base us', 'measured us', 'over us', 'ratio') : ()),
            ($is_against ? 'instructions before' : ()), 'instructions over the base', ($is_against ? 'ratio' : ())], @rows)
        . "\n" . closing($report);
}

sub table ($head, @rows) {
    my @width = map { my $column = $_; max(map { length $_->[$column] } $head, @rows) } 0 .. $#$head;
    my $line = sub ($row) {
        return '| ' . join(' | ', map { sprintf $_ ? '%*s' : '%-*s', $width[$_], $row->[$_] } 0 .. $#$row) . " |\n";
    };
    return $line->($head)
        . '| ' . join(' | ', map { $_ ? '-' x ($width[$_] - 1) . ':' : '-' x $width[$_] } 0 .. $#width) . " |\n"
        . join '', map { $line->($_) } @rows;
}

sub whole ($number) { return defined $number ? sprintf '%.0f', $number : '' }
sub hundredths ($number) { return defined $number ? sprintf '%.2f', $number : '' }

# 12,345
sub grouped ($number) {
    return '' unless defined $number;
    my $text = sprintf '%.0f', $number;
    1 while $text =~ s/(\d)(\d{3})(?!\d)/$1,$2/;
    return $text;
}

sub write_json ($report, $path) {
    spew($path, JSON::PP->new->canonical->pretty->encode($report));
    return;
}

sub median (@numbers) {
    my @sorted = sort { $a <=> $b } @numbers;
    my $middle = $#sorted / 2;
    return ($sorted[$middle] + $sorted[$middle + 0.5]) / 2;
}

sub max (@numbers) { return (sort { $b <=> $a } @numbers)[0] }

1;
