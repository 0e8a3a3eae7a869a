package Test::Mesh::Log;

use v5.36;

use Exporter qw(import);

our @EXPORT_OK = qw(complaints);

# What no test may leave behind, unless it says that it expects the line.
my $FAULT = qr{
    \[alert\] | \[emerg\] | \bpanicked\b | \[crit\].*\bpanic | exited\ on\ signal
    | Sanitizer: | Assertion\ .*\ failed
}x;

# A compact JWS: nothing that expects a line makes this harmless.
my $TOKEN = qr{eyJ[A-Za-z0-9_-]{20,}\.};

# Nginx itself writes headers at these: it is operators who keep error_log above.
my $OF_NGINX = qr{\[debug\](?!.*mesh) | \[info\].*client\ sent\ duplicate\ header\ line}x;

sub complaints ($text, @expected) {
    my @complaints;
    for my $line (split /\n/, $text) {
        if ($line =~ $TOKEN && $line !~ $OF_NGINX) {
            # Not the token itself into the output of the tests.
            push @complaints, 'a token is in the log: ' . $line =~ s/eyJ\S*/eyJ.../gr;
        }
        elsif ($line =~ $FAULT && !grep { matches($line, $_) } @expected) {
            push @complaints, $line;
        }
    }
    return @complaints;
}

sub matches ($line, $pattern) {
    return ref $pattern ? $line =~ $pattern : index($line, $pattern) >= 0;
}

1;

__END__

=head1 NAME

Test::Mesh::Log - what an error.log must not hold

=head1 SYNOPSIS

    my @lines = complaints($text, 'an expected string', qr/an expected pattern/);

=head1 DESCRIPTION

C<complaints> returns the lines of an error.log that are a fault in any test: C<[alert]>,
C<[emerg]>, a panic, a process that died of a signal, a sanitizer's report; and every line with
something that looks like a token. A line that matches one of the expected strings or patterns is
no fault; a token always is.

=cut
