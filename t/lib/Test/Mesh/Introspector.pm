package Test::Mesh::Introspector;

use v5.36;

use Exporter qw(import);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();

use Test::Mesh::File;
use Test::Mesh::Wait;

our @EXPORT = qw(fresh);

my %running;

# A token that nobody has seen before.
sub fresh ($name = 'token') {
    state $number = 0;
    return $name . '-' . ++$number;
}

# Starts an issuer that answers questions about tokens.
sub start ($class, %options) {
    my $self = bless {
        %options, owner => $$, directory => tempdir('introspector-XXXXXXXX', TMPDIR => 1, CLEANUP => 1),
    }, $class;
    $self->mode('normal');
    return $self->begin;
}

# Begins to listen, on the port that it had before, if any.
sub begin ($self) {
    my $listener = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $self->{port} // 0, Listen => 512, ReuseAddr => 1,
    ) or die "introspector: $!\n";
    $self->{port} = $listener->sockport;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(TERM INT);
        $SIG{PIPE} = 'IGNORE';
        local $@;
        eval { $self->answer_all($listener) };
        POSIX::_exit(0);
    }
    close $listener;
    $self->{pid} = $pid;
    return $running{$pid} = $self;
}

sub stop ($self) {
    my $pid = delete $self->{pid};
    return if !$pid || $self->{owner} != $$;
    kill 'TERM', $pid;
    waitpid $pid, 0;
    delete $running{$pid};
    return;
}

sub port ($self) { return $self->{port} }

sub url ($self) { return "http://127.0.0.1:$self->{port}/introspect" }

# How it answers from now on; those that are held get their answer by the next mode.
sub mode ($self, $mode) {
    replace("$self->{directory}/mode", $mode);
    return $self;
}

# What was asked so far: a hash each, with `authorization`, `accept` and the `form`.
sub questions ($self) {
    return map { JSON::PP::decode_json($_) } split /^/, slurp("$self->{directory}/questions", '');
}

# How often each token was asked about.
sub counts ($self) {
    my %counts;
    $counts{ $_->{form}{token} }++ for $self->questions;
    return \%counts;
}

# Waits until that many questions have come.
sub await_questions ($self, $count) {
    wait_until("$count questions", sub { $self->questions >= $count });
    return $self;
}

sub answer_all ($self, $listener) {
    open my $log, '>>', "$self->{directory}/questions" or die "$!\n";
    $log->autoflush;
    my $select = IO::Select->new($listener);
    my (%bytes, @held);
    my $parent = getppid;
    while (getppid == $parent) {
        for my $socket ($select->can_read(0.02)) {
            if ($socket == $listener) {
                my $new = $listener->accept or next;
                $select->add($new);
                $bytes{$new} = '';
                next;
            }
            if (!sysread $socket, $bytes{$socket}, 65536, length $bytes{$socket}) {
                $select->remove($socket);
                close $socket;
                next;
            }
            my $question = question($bytes{$socket}) // next;
            $select->remove($socket);
            print {$log} JSON::PP->new->canonical->encode($question), "\n";
            push @held, [$socket, $question];
        }
        my $mode = slurp("$self->{directory}/mode", '');
        next if $mode eq 'hold';
        while (my $waiting = shift @held) {
            my ($socket, $question) = @$waiting;
            $socket->blocking(1);
            print {$socket} $self->response_to($question, $mode);
            close $socket;
        }
    }
    return;
}

# What was asked, once all of it is there.
sub question ($bytes) {
    my ($head, $body) = split /\r\n\r\n/, $bytes, 2;
    my ($length) = $head =~ /^Content-Length:\s*(\d+)/mi or return undef;
    return undef if length($body // '') < $length;
    my %form = map { my ($name, $value) = split /=/, $_, 2; $name => unescape($value // '') } split /&/, $body;
    my ($line) = $head =~ /\A([^\r]*)/;
    my %field = map { /\A([^:]+):\s*(.*)\z/ ? (lc $1 => $2) : () } split /\r\n/, $head;
    return { line => $line, authorization => $field{authorization}, accept => $field{accept}, form => \%form };
}

sub unescape ($text) { return $text =~ tr/+/ /r =~ s/%([0-9A-F]{2})/chr hex $1/ger }

sub response_to ($self, $question, $mode) {
    return '' if $mode eq 'close';
    return "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"active\":tr" if $mode eq 'half';
    return http(200, 'application/json', '<html>') if $mode eq 'garbage';
    return http(200, 'text/html', '{"active":true}') if $mode eq 'html';
    return http(200, 'application/json', '{"active":"true"}') if $mode eq 'text';
    return http(500, 'application/json', '{"active":true}') if $mode eq 'broken';
    return http(302, 'application/json', '{"active":true}') if $mode eq 'redirect';
    my $authorization = $self->{authorization};
    return http(401, 'application/json', '{"error":"invalid_client"}')
        if defined $authorization && ($question->{authorization} // '') ne $authorization;
    my ($type, $body) = $self->{answer}
        ? $self->{answer}->($question, $mode)
        : ('application/json', facts($question->{form}{token}));
    $body = JSON::PP->new->canonical->encode($body) if ref $body;
    return http(200, $type, $body);
}

# A token is the name of its owner, unless it is called inactive.
sub facts ($token) {
    return { active => JSON::PP::false } if $token =~ /inactive/;
    return {
        active => JSON::PP::true, iss => 'https://idp.example', aud => 'mesh', sub => $token,
        exp => int(time) + 600, groups => ['data-eng'],
    };
}

sub http ($status, $type, $body) {
    my $length = length $body;
    return "HTTP/1.1 $status X\r\nContent-Type: $type\r\nContent-Length: $length\r\nConnection: close\r\n"
        . ($status == 302 ? "Location: /elsewhere\r\n" : '') . "\r\n$body";
}

END {
    my $status = $?;
    $_->stop for values %running;
    $? = $status;
}

1;

__END__

=head1 NAME

Test::Mesh::Introspector - an issuer that answers questions about tokens (RFC 7662)

=head1 SYNOPSIS

    use Test::Mesh::Introspector;

    my $issuer = Test::Mesh::Introspector->start(authorization => 'Basic Z2F0ZXdheTpzZWNyZXQ=');
    my $url = $issuer->url;
    $issuer->mode('hold');          # questions wait
    $issuer->mode('normal');        # ... until now
    is $issuer->counts->{etl}, 1;
    $issuer->stop;
    $issuer->begin;

=head1 DESCRIPTION

One process that takes any number of questions at once. A token is active, and its own subject,
unless C<inactive> is in it. With C<authorization>, a question with another gets 401; with
C<answer>, a function of the question and the mode, its result is the media type and the body.

The modes: C<normal>, C<hold>, C<close> (no answer), C<half> (one that ends too early), C<garbage>,
C<html>, C<text> (C<active> is a string), C<broken> (500) and C<redirect>. Any other is left to
C<answer>.

=cut
