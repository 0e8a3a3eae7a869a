package Test::Mesh::Witness;

use v5.36;

use IO::Select;
use IO::Socket::INET;

use Test::Mesh::Upstream qw(read_head);
use Test::Mesh::Wait;

# Listens on a port of 127.0.0.1.
sub new ($class) {
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8) or die "listen: $!\n";
    return bless { socket => $socket }, $class;
}

sub port ($self) { return $self->{socket}->sockport }

sub url ($self) { return 'http://127.0.0.1:' . $self->port }

# Whether somebody asks within that many seconds.
sub is_asked ($self, $seconds) { return !!IO::Select->new($self->{socket})->can_read($seconds) }

# The next connection.
sub accept ($self) {
    $self->is_asked($PATIENCE) or die "nobody asks the witness\n";
    return $self->{socket}->accept // die "accept: $!\n";
}

# The head of the next request, which is answered with that status and no body.
sub hear ($self, $status) {
    my $socket = $self->accept;
    my ($head) = read_head($socket) or die "the witness sees half a request\n";
    print {$socket} "HTTP/1.1 $status Told\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    close $socket;
    return $head;
}

1;

__END__

=head1 NAME

Test::Mesh::Witness - an upstream in the test's own process, request by request

=head1 SYNOPSIS

    my $witness = Test::Mesh::Witness->new;
    ... proxy_pass @{[$witness->url]}; ...
    my $client = $server->connect->send($request);
    my $head = $witness->hear(204);
    ok !$witness->is_asked(0.05), 'nobody else asks';

=head1 DESCRIPTION

The test hears what a L<Test::Mesh::Upstream> would answer with: of a subrequest, whose response
nobody sees, and of protocols other than HTTP, for which C<accept> gives the connection.

=cut
