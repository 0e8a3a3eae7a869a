package Test::Mesh::Upstream;

use v5.36;

use Exporter qw(import);
use IO::Socket::INET;
use POSIX ();

our @EXPORT_OK = qw(echo_all read_body read_head);

my %running;

# Starts an upstream that answers each request with the head it received; with `heads`, a file, it
# writes each there as well.
sub start ($class, %options) {
    my $listener = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 128, ReuseAddr => 1,
    ) or die "upstream: $!\n";
    my $self = bless { port => $listener->sockport, owner => $$, pids => [] }, $class;
    for (1 .. $options{processes} // 2) {
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            $SIG{$_} = 'DEFAULT' for qw(TERM INT);
            local $@;
            eval { accept_all($listener, $options{answer} // sub ($socket) { echo_head($socket, $options{heads}) }) };
            POSIX::_exit(0);
        }
        push $self->{pids}->@*, $pid;
    }
    close $listener;
    return $running{ $self->{port} } = $self;
}

sub port ($self) { return $self->{port} }

sub url ($self) { return "http://127.0.0.1:$self->{port}" }

sub stop ($self) {
    return if $self->{owner} != $$;
    kill 'TERM', $self->{pids}->@*;
    waitpid $_, 0 for $self->{pids}->@*;
    $self->{pids} = [];
    delete $running{ $self->{port} };
    return;
}

sub accept_all ($listener, $answer) {
    while (1) {
        my $socket = $listener->accept or next;
        $answer->($socket);
        close $socket;
    }
}

# The head of a request, with the end of its last line, and what was read behind it; nothing if the
# connection ends before.
sub read_head ($socket) {
    my $bytes = '';
    while ($bytes !~ /\r\n\r\n/) {
        sysread $socket, $bytes, 65536, length $bytes or return;
    }
    my ($head, $rest) = split /\r\n\r\n/, $bytes, 2;
    return ("$head\r\n", $rest);
}

# One request a connection: its head comes back as the body, and any body is read first.
sub echo_head ($socket, $heads = undef) {
    my ($head, $body) = read_head($socket) or return;
    my ($length) = $head =~ /^Content-Length:\s*(\d+)/mi;
    while (length $body < ($length // 0)) {
        sysread $socket, $body, 65536, length $body or return;
    }
    if (defined $heads && open my $out, '>>:raw', $heads) {
        syswrite $out, "$head\r\n";
    }
    my $size = length $head;
    print {$socket} "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Upstream: yes\r\n"
        . "Content-Length: $size\r\nConnection: close\r\n\r\n$head";
    return;
}

# The body behind a head: as much as its length says, or what its chunks hold; nothing if the connection
# ends before.
sub read_body ($socket, $head, $bytes) {
    my $more = sub { sysread $socket, $bytes, 65536, length $bytes };
    if ($head =~ /^Transfer-Encoding:\s*chunked/mi) {
        my $body = '';
        while (1) {
            until ($bytes =~ s/\A([0-9a-f]+)\r\n//i) { $more->() or return }
            my $size = hex $1;
            while (length $bytes < $size + 2) { $more->() or return }
            $body .= substr $bytes, 0, $size;
            substr $bytes, 0, $size + 2, '';
            return $body if $size == 0;
        }
    }
    my ($length) = $head =~ /^Content-Length:\s*(\d+)/mi;
    while (length $bytes < ($length // 0)) { $more->() or return }
    return $bytes;
}

# One request a connection: all of it comes back as the body, a body without its chunks.
sub echo_all ($socket) {
    my ($head, $rest) = read_head($socket) or return;
    my $body = read_body($socket, $head, $rest) // return;
    my $all = "$head\r\n$body";
    print {$socket} "HTTP/1.1 200 OK\r\nX-Upstream: yes\r\nContent-Length: @{[length $all]}\r\nConnection: close\r\n\r\n$all";
    return;
}

END {
    my $status = $?;
    $_->stop for values %running;
    $? = $status;
}

1;

__END__

=head1 NAME

Test::Mesh::Upstream - an upstream that answers with what it received

=head1 SYNOPSIS

    use Test::Mesh::Upstream;

    my $upstream = Test::Mesh::Upstream->start;
    $ENV{TEST_NGINX_UPSTREAM} = $upstream->port;   # before run_tests, for %%-less blocks:
                                                   # proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM;

=head1 DESCRIPTION

The module removes C<X-Mesh-*> from everything that comes in, also where the same Nginx plays the
upstream: what arrives can only be seen by somebody else. This is a handful of processes that
answer each request with its own head (request line and header lines as they came, each ended by
CRLF), with C<X-Upstream: yes> so that an answer of Nginx's own is told apart. C<answer> is another
function to answer a connection with, such as C<echo_all>, which answers with head and body;
C<read_head> and C<read_body> read a request for it.

=cut
