package Test::Mesh::Load;

use v5.36;

use Carp qw(croak);
use Exporter qw(import);
use IO::Select;
use List::Util qw(max min);
use POSIX ();
use Time::HiRes qw(sleep time);

use Test::Mesh::Client;
use Test::Mesh::Wait;

our @EXPORT_OK = qw(await_all each_worker request_bytes statuses tally token_server);

# What holds the loads of this process up: no child may keep a copy.
my %holds;

# A server for loads, each response of which names its worker and the reason: /t asks for a token,
# /limited has that `mesh_limit` too, /status shows what the workers have.
sub token_server ($limit = undef) {
    my $limited = $limit ? "location = /limited { mesh_authenticate token; mesh_limit $limit; empty_gif; }\n    " : '';
    return <<"END";
mesh_log_level info;
server {
    listen 127.0.0.1:%%PORT%%;
    add_header X-Worker \$pid always;
    add_header Reason \$mesh_reason always;
    location = /t { mesh_authenticate token; empty_gif; }
    ${limited}location = /status { mesh_status; }
}
END
}

# The text of a request on a connection that stays open.
sub request_bytes ($target, @headers) {
    return join "\r\n", "GET $target HTTP/1.1", 'Host: localhost', @headers, '', '';
}

# Sends requests through connections, all of them before it reads, and counts the answers.
sub tally ($clients, @requests) {
    my %count;
    $_->send(join '', @requests) for @$clients;
    for my $client (@$clients) {
        for (@requests) {
            my $response = $client->response // croak 'the connection is closed';
            $count{ $response->{status} }++;
        }
    }
    return \%count;
}

# Open connections by worker, `each` (1) or more to all that accept; `target` tells its worker by
# the header X-Worker.
sub each_worker ($server, $target, %options) {
    my $each = $options{each} // 1;
    my %clients;
    wait_until('connection to every worker', sub {
        # Together, so that more than one worker wakes.
        my @new = map { $server->connect(port => $options{port}) } 1 .. 8;
        $_->send(request_bytes($target)) for @new;
        for my $client (@new) {
            my $worker = $client->response->{headers}{'x-worker'} // croak 'no X-Worker';
            # Those that it has enough of end here.
            push $clients{$worker}->@*, $client if ($clients{$worker} // [])->@* < $each;
        }
        return !grep { ($clients{$_} // [])->@* < $each } $server->worker_pids;
    });
    return \%clients;
}

# What each worker answers, on the first of its connections: a status each.
sub statuses ($clients, $target, @headers) {
    return join ' ', map { $_->[0]->request('GET', $target, headers => \@headers)->{status} } values %$clients;
}

# Waits until every worker answers by that status.
sub await_all ($server, $status, $clients, $target, @headers) {
    my $all = join ' ', ($status) x keys %$clients;
    $server->await("$all at $target", sub { statuses($clients, $target, @headers) eq $all });
    return;
}

# Begins to send: each of `clients` (2) processes sends the `requests` in turn, with a `pause` in
# between, until `stop`. With `keepalive`, on one connection as long as it lives. A request may be a
# function that returns it; `label` is one that names a response, which else is its status.
sub start ($class, $port, %options) {
    my $self = bless { port => $port, %options, owner => $$ }, $class;
    # Its end of file tells all to stop, also when this process dies.
    pipe(my $gate, my $hold) or croak "pipe: $!";
    $holds{$hold} = $hold;
    pipe(my $in, my $out) or croak "pipe: $!";
    for my $number (1 .. $options{clients} // 2) {
        my $pid = fork // croak "fork: $!";
        if (!$pid) {
            close $_ for values %holds, $in;
            $SIG{$_} = 'DEFAULT' for qw(INT TERM);
            my $seen = $self->send_until(IO::Select->new($gate), $number);
            # Short enough to be written at once.
            syswrite $out, join '', map { join("\t", $_, $seen->{$_}->@*) . "\n" } keys %$seen;
            POSIX::_exit(0);
        }
        push $self->{pids}->@*, $pid;
    }
    $self->@{qw(hold in)} = ($hold, $in);
    return $self;
}

# Ends it, and returns how many answers had which status, and how many there were of: `failed`, a
# request without an answer, and `again`, one that met a kept connection which Nginx had closed.
sub stop ($self) {
    delete $holds{ $self->{hold} };
    close $self->{hold};
    my %count = (failed => 0, again => 0);
    my $in = $self->{in};
    waitpid $_, 0 for $self->{pids}->@*;
    # Ours was the last copy of the other end: see `start`, whose `$out` is out of scope.
    while (my $line = <$in>) {
        my ($name, $number, $first, $last) = $line =~ /\A([^\t]+)\t(\d+)\t([\d.]+)\t([\d.]+)$/
            or croak "not a count: $line";
        $count{$name} += $number;
        my $seen = $self->{seen}{$name} //= [$first, $last];
        $seen->@[0, 1] = (min($first, $seen->[0]), max($last, $seen->[1]));
    }
    return \%count;
}

# When the first and the last answer of that name came, once it has ended.
sub seen ($self, $name) { return ($self->{seen}{$name} // [])->@* }

sub send_until ($self, $gate, $number) {
    my @requests = $self->{requests}->@*;
    my %seen;
    my $count = sub ($name) {
        my $now = time;
        my $seen = $seen{$name} //= [0, $now];
        $seen->[0]++;
        $seen->[2] = $now;
    };
    my $client;
    until ($gate->can_read(0)) {
        my $request = $requests[ $number++ % @requests ];
        $request = $request->() if ref $request;
        my $is_fresh = !$client;
        my $response = eval {
            $client //= Test::Mesh::Client->connect(port => $self->{port});
            $client->send($request)->response;
        };
        if ($response) {
            $count->($self->{label} ? $self->{label}->($response) : $response->{status});
            my $is_last = ($response->{headers}{connection} // '') eq 'close';
            undef $client if $is_last || !$self->{keepalive};
        }
        else {
            # What every client does again: its request crossed the end of an idle connection.
            my $is_idle = !$is_fresh && !$@ && !length $client->{buffer};
            $count->($is_idle ? 'again' : 'failed');
            warn "a request fails: $@\n" if !$is_idle && $self->{is_loud};
            undef $client;
        }
        sleep $self->{pause} if $self->{pause};
    }
    return \%seen;
}

1;

__END__

=head1 NAME

Test::Mesh::Load - many requests: to every worker, at once, or all the time

=head1 SYNOPSIS

    use Test::Mesh::Load qw(await_all each_worker request_bytes statuses tally token_server);

    my $server = Test::Mesh::Server->start($issuers . token_server('calls rate=1r/h burst=9'), workers => 2);
    my $clients = each_worker($server, '/t');            # { PID => [Test::Mesh::Client, ...] }
    is statuses($clients, '/t', bearer()), '200 200', 'both workers admit it';
    await_all($server, 401, $clients, '/t', bearer());
    my $request = request_bytes('/t', bearer());
    my $count = tally([map { @$_ } values %$clients], ($request) x 20);   # { 200 => 18, 429 => 62 }

    my $load = Test::Mesh::Load->start($server->port, requests => [$request], clients => 4,
        keepalive => 1, pause => 0.001);
    $server->reload;
    my $count = $load->stop;                             # { 200 => 3412, failed => 0, again => 2 }
    my ($first, $last) = $load->seen(200);               # times

=head1 DESCRIPTION

C<each_worker> needs a location that names its worker: C<add_header X-Worker $pid always;>, as each
of C<token_server>: C</t> asks for a token, C</limited> has the given limit too, and C</status> has
C<mesh_status>. Every response has the header C<Reason>.
C<tally> sends everything before it reads an answer: keep it under what sockets buffer, some 30 KB
a connection.

A load is a few processes; it ends with the test that began it, whatever happens. With C<is_loud>
it warns of each failed request.

=cut
