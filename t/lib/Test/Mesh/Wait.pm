package Test::Mesh::Wait;

use v5.36;

use Carp qw(croak);
use Exporter qw(import);
use Test::More ();
use Time::HiRes qw(sleep time);

our @EXPORT = qw($PATIENCE is_soon wait_until);

# Seconds that anything may take on a busy machine.
our $PATIENCE = 120;

# Waits until a condition holds. If it never does, dies with what `more` tells.
sub wait_until ($what, $condition, $more = sub { '' }) {
    my $deadline = time + $PATIENCE;
    until ($condition->()) {
        croak "no $what within $PATIENCE s:\n" . $more->() if time > $deadline;
        sleep 0.02;
    }
    return;
}

# Proves that a value becomes the expected one.
sub is_soon ($value, $expected, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $deadline = time + $PATIENCE;
    my $found;
    while (($found = $value->()) ne $expected && time < $deadline) { sleep 0.05 }
    return Test::More::is($found, $expected, $name);
}

1;

__END__

=head1 NAME

Test::Mesh::Wait - waiting for a condition

=head1 SYNOPSIS

    wait_until('file', sub { -e $path });
    is_soon(sub { verdict($server->get('/', $bearer)) }, '200', 'the new key is in force');

=head1 DESCRIPTION

A test waits for what it needs, not for a time. C<$PATIENCE> is how long that may take. For what a
server does, C<await> of L<Test::Mesh::Server> also shows its error.log.

=cut
