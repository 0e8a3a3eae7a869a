package Mesh::Bench::Gate;

# What fails a run: instructions over the base, of the new build beside the old one and beside `most`.

use v5.36;

use Exporter qw(import);

our @EXPORT_OK = qw(gate trespasses);

# Of "[CASE=]N" or "[CASE=]R": the beginning of a name, and so many instructions more than before, or
# with a decimal point at most that part of before.
sub gate ($text) {
    $text =~ /\A(?:([\w-]+)=)?(\d+)(\.\d+)?\z/ or die "not a gate: $text\n";
    return { case => $1 // '', defined $3 ? (ratio => "$2$3") : (more => $2) };
}

# What a case does that it should not, in words.
sub trespasses ($case, $gates) {
    my ($old, $new) = map { over($case, $_) } qw(old new);
    return unless defined $new;
    my @found;
    if (defined $case->{most} && $new > $case->{most}) {
        push @found, sprintf '%.0f instructions over bare, %d at most', $new, $case->{most};
    }
    return @found unless defined $old;
    for my $gate ($gates->@*) {
        next unless $case->{name} =~ /^\Q$gate->{case}\E/;
        if (defined $gate->{more} && $new - $old > $gate->{more}) {
            push @found, sprintf '%.0f instructions more than before, %d at most', $new - $old, $gate->{more};
        }
        if (defined $gate->{ratio} && $new > $gate->{ratio} * $old) {
            push @found, sprintf '%.3f of before, %s at most', $new / $old, $gate->{ratio};
        }
    }
    return @found;
}

# Instructions of a side over its base.
sub over ($case, $side) { return ($case->{instructions}{$side} // {})->{over} }

1;
