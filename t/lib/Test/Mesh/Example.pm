package Test::Mesh::Example;

use v5.36;

use Carp qw(croak);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use IO::Socket::SSL;
use JSON::PP ();
use POSIX qw(WNOHANG);
use Test::More ();
use Time::HiRes qw(sleep time);

use Test::Mesh::Client;
use Test::Mesh::Credentials qw(meshctl project_dir);
use Test::Mesh::File;
use Test::Mesh::Log qw(complaints);
use Test::Mesh::Server qw(module_path nginx_path);

# Seconds that a start or stop may take on a busy machine.
my $PATIENCE = 120;

my %running;

# Makes a prefix in which the examples start.
sub new_prefix () {
    my $prefix = tempdir('mesh-examples-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    system(project_dir() . '/t/bin/example-prefix', $prefix) == 0 or croak 'example-prefix failed';
    my $link = "$prefix/modules/ngx_http_mesh_module.so";
    unlink $link;
    symlink module_path(), $link or croak "$link: $!";
    return $prefix;
}

# What `nginx -t` says of an example as it is shipped: its status and its output.
sub check ($prefix, $name) {
    my $pid = open(my $out, '-|') // die "fork: $!\n";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec nginx_path(), '-t', '-p', "$prefix/", '-e', 'logs/error.log', '-c', $name,
            '-g', "pid $prefix/nginx.pid;" or POSIX::_exit(127);
    }
    my $output = do { local $/; <$out> };
    close $out;
    return ($?, $output // '');
}

# Starts an example with the upstream's address and its own port replaced, and nothing else but
# what lets it run as any user. It takes names with "_", so that it is the module that removes them.
sub start ($class, %options) {
    my $prefix = $options{prefix};
    my $self = bless {
        prefix => $prefix, name => $options{conf}, owner => $$,
        tls => $options{tls} // $options{conf} ne 'nginx.conf', heard => "$prefix/heard", read => 0, requests => 0,
    }, $class;
    unlink glob "$prefix/logs/*.log";
    unlink $self->{heard};
    my $upstream = $self->start_upstream($options{certificate});
    $self->{port} = free_port();

    my $text = slurp("$prefix/$options{conf}");
    my $replaced = $text =~ s/(?:server |http:\/\/)\K\Q$options{upstream}\E/127.0.0.1:$upstream/g;
    croak "$options{upstream} is there " . ($replaced || 0) . ' times'
        if !$replaced || $replaced > 1 && !$options{several_upstreams};
    substitute_once(\$text, qr/listen \K(?:127\.0\.0\.1:8080|8443)/, "127.0.0.1:$self->{port}");
    $options{edit}->(\$text) if $options{edit};
    my $temp = join ' ', map { "${_}_temp_path temp_$_;" } qw(client_body proxy fastcgi uwsgi scgi);
    substitute_once(\$text, qr/^http \{\K/m, "\n$temp underscores_in_headers on;\n");
    spew("$prefix/running.conf", $text);

    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDOUT, '>', "$prefix/logs/start.log";
        open STDERR, '>&', \*STDOUT;
        exec nginx_path(), '-p', "$prefix/", '-e', 'logs/error.log', '-c', 'running.conf',
            '-g', "daemon off; pid $prefix/nginx.pid;" or POSIX::_exit(127);
    }
    $running{$pid} = $self;
    $self->{pid} = $pid;
    await("$options{conf} to start", sub {
        waitpid($pid, WNOHANG) == 0 or croak slurp("$prefix/logs/start.log", '');
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port});
    });
    return $self;
}

# Sends one request on a connection of its own; `certificate` is one of t/bin/certificates.
sub request ($self, $method, $target, %options) {
    my $certificates = "$self->{prefix}/certificates";
    my $certificate = $options{certificate};
    my %tls = (
        ca => "$certificates/ca.pem",
        $certificate
            ? (cert => "$certificates/$certificate.pem", key => "$certificates/$certificate.key")
            : (),
    );
    my $client = Test::Mesh::Client->connect(
        port => $self->{port}, $self->{tls} ? (tls => \%tls) : ());
    my @fields = ("Host: localhost:$self->{port}", 'Connection: close');
    push @fields, "Authorization: Bearer $options{token}" if defined $options{token};
    push @fields, ($options{headers} // [])->@*;
    my $response = $client->request($method, $target, %options, headers => \@fields);
    $client->close;
    $self->{requests}++;
    return $response;
}

# Mints a token for this example's audience; the options are those of `meshctl token mint`, with
# `roles` for the claim.
sub token ($self, %options) {
    my ($audience) = slurp("$self->{prefix}/$self->{name}") =~ /^\s*audience (\S+);/m;
    my $roles = delete $options{roles};
    %options = (
        issuer => 'https://idp.example', audience => $audience, subject => 'orders-api',
        key => "$self->{prefix}/keys/idp.jwk", %options,
    );
    $options{claims} //= JSON::PP::encode_json({ roles => $roles }) if $roles;
    my $token = meshctl('token', 'mint', map { '--' . tr/_/-/r, $options{$_} } sort keys %options);
    chomp $token;
    push $self->{tokens}->@*, $token;
    return $token;
}

# The heads that the upstream received since it was asked the last time.
sub heard ($self) {
    my $all = slurp($self->{heard}, '');
    my $new = substr $all, $self->{read};
    $self->{read} = length $all;
    return split /\0/, $new;
}

# What the access log says of the last request; Nginx writes it after the answer.
sub logged ($self) {
    my @lines;
    await('the access log', sub {
        @lines = split /\n/, slurp("$self->{prefix}/logs/access.log", '');
        @lines >= $self->{requests};
    });
    return JSON::PP::decode_json($lines[-1]);
}

# Stops both, and proves that the logs hold no fault and nothing of a token.
sub stop ($self) {
    my $name = $self->{name};
    kill 'QUIT', $self->{pid};
    my $stopped;
    await("$name to stop", sub { $stopped = waitpid($self->{pid}, WNOHANG) });
    Test::More::is($?, 0, "$name stops");
    delete $running{ $self->{pid} };
    kill 'TERM', $self->{upstream};
    waitpid $self->{upstream}, 0;

    my $errors = slurp("$self->{prefix}/logs/error.log", '');
    Test::More::is(join("\n", complaints($errors)), '', "$name leaves a clean error.log");
    my $logs = $errors . slurp("$self->{prefix}/logs/access.log", '');
    my @leaks = grep { index($logs, $_) >= 0 } map { $_, (split /\./)[2] // () } $self->{tokens}->@*;
    Test::More::is(scalar @leaks, 0, "$name logs nothing of a token");
    return;
}

# An upstream that writes down each head before it answers, with TLS where it has a certificate.
sub start_upstream ($self, $certificate) {
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64)
        or die "upstream: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(TERM INT);
        while (my $socket = $listener->accept) {
            eval { $self->answer($socket, $certificate) };
        }
        POSIX::_exit(0);
    }
    $self->{upstream} = $pid;
    return $listener->sockport;
}

sub answer ($self, $socket, $certificate) {
    if ($certificate) {
        IO::Socket::SSL->start_SSL(
            $socket, SSL_server => 1,
            SSL_cert_file => "$certificate.pem", SSL_key_file => "$certificate.key",
        ) or return;
    }
    my $bytes = '';
    while ($bytes !~ /\r\n\r\n/) {
        sysread $socket, $bytes, 65536, length $bytes or return;
    }
    my ($head) = split /\r\n\r\n/, $bytes;
    open my $heard, '>>:raw', $self->{heard} or die;
    syswrite $heard, "$head\r\n\0";
    print {$socket} "HTTP/1.1 200 OK\r\nSet-Cookie: session=of-the-upstream\r\n"
        . "Content-Length: 0\r\nConnection: close\r\n\r\n";
    close $socket;
    return;
}

sub substitute_once ($text, $pattern, $replacement) {
    my $count = $$text =~ s/$pattern/$replacement/g;
    croak "$pattern is there " . ($count || 0) . ' times' if $count != 1;
    return;
}

sub await ($what, $is_there) {
    my $deadline = time + $PATIENCE;
    until ($is_there->()) {
        croak "waited for $what in vain" if time > $deadline;
        sleep 0.02;
    }
    return;
}

sub free_port () {
    return IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport;
}

END {
    for my $self (grep { $_->{owner} == $$ } values %running) {
        local $?;
        kill 'TERM', $self->{pid}, $self->{upstream};
        waitpid $_, 0 for $self->{pid}, $self->{upstream};
    }
}

1;

__END__

=head1 NAME

Test::Mesh::Example - one of nginx-conf/, running in front of an upstream that writes down what it hears

=head1 SYNOPSIS

    my $prefix = Test::Mesh::Example::new_prefix();
    my ($status, $output) = Test::Mesh::Example::check($prefix, 'kafka-rest.conf');

    my $example = Test::Mesh::Example->start(
        prefix => $prefix, conf => 'kafka-rest.conf', upstream => '127.0.0.1:8082');
    my $response = $example->request('GET', '/topics', token => $example->token(roles => ['admin']));
    my @heads = $example->heard;
    $example->stop;

=head1 DESCRIPTION

C<upstream> is the address in the file that is replaced; C<certificate> is a path without C<.pem>
that makes the upstream speak TLS. C<tls> says whether the example itself does; C<edit> may change
what else has to be changed in its text. C<several_upstreams> allows the address more than once.

=cut
