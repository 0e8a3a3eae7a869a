package Test::Mesh::Example;

use v5.36;

use Carp qw(croak);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use IO::Socket::SSL;
use JSON::PP ();
use POSIX qw(WNOHANG);
use Socket qw(MSG_PEEK);
use Test::More ();

use Test::Mesh::Client;
use Test::Mesh::Credentials qw(meshctl project_dir);
use Test::Mesh::File;
use Test::Mesh::Log qw(complaints);
use Test::Mesh::Port;
use Test::Mesh::Process qw(end_child);
use Test::Mesh::Response;
use Test::Mesh::Server qw(module_path nginx_path);
use Test::Mesh::Upstream qw(read_head);
use Test::Mesh::Wait;

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
sub tested ($prefix, $name) {
    return Test::Mesh::Server::nginx_t('-p', "$prefix/", '-e', 'logs/error.log', '-c', $name,
        '-g', "pid $prefix/nginx.pid;");
}

# Starts an example with the upstream's addresses and its own port replaced, and nothing else but
# what lets it run as any user. It takes names with "_", so that it is the module that removes them.
sub start ($class, %options) {
    my $prefix = $options{prefix};
    my $self = bless {
        prefix => $prefix, name => $options{conf}, owner => $$,
        tls => $options{tls} // $options{conf} ne 'nginx.conf', heard => "$prefix/heard", read => 0, requests => 0,
    }, $class;
    unlink glob "$prefix/logs/*.log";
    unlink $self->{heard};
    my $answer = sub ($socket) { eval { $self->write_down($socket, %options) } };
    $self->{upstream} = Test::Mesh::Upstream->start(processes => 1, answer => $answer) if !$options{upstream_port};
    my $upstream = $self->{upstream_port} = $options{upstream_port} // $self->{upstream}->port;
    $self->{port} = free_port();

    my $text = slurp("$prefix/$options{conf}");
    for my $address (ref $options{upstream} ? $options{upstream}->@* : $options{upstream}) {
        my $replaced = $text =~ s/(?:server |http:\/\/)\K\Q$address\E/127.0.0.1:$upstream/g;
        croak "$address is there " . ($replaced || 0) . ' times'
            if !$replaced || $replaced > 1 && !$options{several_upstreams};
    }
    $text =~ s/listen \K(?:127\.0\.0\.1:8080|8443)/127.0.0.1:$self->{port}/g or croak 'it listens nowhere';
    $options{edit}->(\$text) if $options{edit};
    $text =~ s/%%UPSTREAM%%/$self->upstream/ge;
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
    wait_until("start of $options{conf}", sub {
        waitpid($pid, WNOHANG) == 0 or croak slurp("$prefix/logs/start.log", '');
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port});
    });
    return $self;
}

# Where its upstream listens.
sub upstream ($self) { return "127.0.0.1:$self->{upstream_port}" }

# Its own address, as clients know it.
sub host ($self, $name = 'localhost') { return "$name:$self->{port}" }

# Sends one request on a connection of its own; `certificate` is one of t/bin/certificates, and `name`
# is that of the server.
sub request ($self, $method, $target, %options) {
    my $certificates = "$self->{prefix}/certificates";
    my $certificate = $options{certificate};
    my $name = $options{name} // 'localhost';
    my %tls = (
        ca => "$certificates/ca.pem", sni => $name,
        $certificate
            ? (cert => "$certificates/$certificate.pem", key => "$certificates/$certificate.key")
            : (),
    );
    my $client = Test::Mesh::Client->connect(
        port => $self->{port}, $self->{tls} ? (tls => \%tls) : ());
    my @fields = ('Host: ' . $self->host($name), 'Connection: close');
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
    wait_until('line in the access log', sub {
        @lines = split /\n/, slurp("$self->{prefix}/logs/access.log", '');
        @lines >= $self->{requests};
    });
    return JSON::PP::decode_json($lines[-1]);
}

# Stops both, and proves that the logs hold no fault and nothing of a token.
sub stop ($self) {
    my $name = $self->{name};
    Test::More::ok(end_child($self->{pid}, 'QUIT') && $? == 0, "$name stops");
    delete $running{ $self->{pid} };
    $self->{upstream}->stop if $self->{upstream};

    my $errors = slurp("$self->{prefix}/logs/error.log", '');
    Test::More::is(join("\n", complaints($errors)), '', "$name leaves a clean error.log");
    my $logs = $errors . slurp("$self->{prefix}/logs/access.log", '');
    my @leaks = grep { index($logs, $_) >= 0 } map { $_, (split /\./)[2] // () } $self->{tokens}->@*;
    Test::More::is(scalar @leaks, 0, "$name logs nothing of a token");
    return;
}

# Answers a connection once the head is written down, over TLS if the client begins so: what `answer`
# makes of the request, or 200 and nothing.
sub write_down ($self, $socket, %options) {
    $self->{upstream_port} = $socket->sockport;
    $socket->recv(my $first, 1, MSG_PEEK);
    if (my $certificate = ord $first == 0x16 && $options{certificate}) {
        IO::Socket::SSL->start_SSL(
            $socket, SSL_server => 1,
            SSL_cert_file => "$certificate.pem", SSL_key_file => "$certificate.key",
        ) or return;
    }
    my ($head, $body) = read_head($socket) or return;
    my ($length) = $head =~ /^Content-Length:\s*(\d+)/mi;
    while (length $body < ($length // 0)) {
        sysread $socket, $body, 65536, length $body or return;
    }
    open my $heard, '>>:raw', $self->{heard} or die;
    syswrite $heard, "$head\0";
    my ($fields, $content) = $options{answer} ? $options{answer}->($self, $head) : ('', '');
    print {$socket} ($fields =~ /^HTTP/ ? '' : "HTTP/1.1 200 OK\r\n") . $fields
        . "Set-Cookie: session=of-the-upstream\r\nContent-Length: " . length($content)
        . "\r\nConnection: close\r\n\r\n$content";
    close $socket;
    return;
}

# Sends a request that must pass as that service, without its token; returns the head that the
# upstream heard.
sub is_served ($self, $service, $name, $method, $target, %options) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $response = $self->request($method, $target, %options);
    my @heads = $self->heard;
    my $head = $heads[0] // '';
    # Its name in any spelling that somebody might take for it.
    my @services = $head =~ /^x[^a-z0-9]mesh[^a-z0-9]service:\s*(.*?)\r$/gmi;
    Test::More::ok($response->{status} == 200 && @heads == 1 && "@services" eq $service && $head !~ /eyJ/, $name)
        or Test::More::diag($response->{head}, "\nthe upstream heard:\n", @heads);
    return $head;
}

# Sends a request that must not reach the upstream; returns the response. The verdict may be a pattern.
sub is_refused ($self, $verdict, $name, $method, $target, %options) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $response = $self->request($method, $target, %options);
    my @heads = $self->heard;
    my $expected = ref $verdict ? $verdict : qr/\A\Q$verdict\E\z/;
    Test::More::ok(verdict($response) =~ $expected && !@heads, $name)
        or Test::More::diag($response->{head}, "\nthe upstream heard:\n", @heads);
    return $response;
}

sub substitute_once ($text, $pattern, $replacement) {
    my $count = $$text =~ s/$pattern/$replacement/g;
    croak "$pattern is there " . ($count || 0) . ' times' if $count != 1;
    return;
}

END {
    for my $self (grep { $_->{owner} == $$ } values %running) {
        local $?;
        end_child($self->{pid}, 'TERM');
    }
}

1;

__END__

=head1 NAME

Test::Mesh::Example - one of nginx-conf/, running in front of an upstream that writes down what it hears

=head1 SYNOPSIS

    my $prefix = Test::Mesh::Example::new_prefix();
    my ($status, $output) = Test::Mesh::Example::tested($prefix, 'kafka-rest.conf');

    my $example = Test::Mesh::Example->start(
        prefix => $prefix, conf => 'kafka-rest.conf', upstream => '127.0.0.1:8082');
    my $response = $example->request('GET', '/topics', token => $example->token(roles => ['admin']));
    my @heads = $example->heard;
    $example->is_served('orders-api', 'a topic', GET => '/topics', token => $token);
    $example->is_refused(401, 'not without a token', GET => '/topics');
    $example->stop;

=head1 DESCRIPTION

C<upstream> is the address in the file that is replaced, or a list of them; C<certificate> is a path
without C<.pem> with which the upstream speaks TLS, if it is asked to. C<answer> makes the fields and the
body of its answers from the example and the head of a request. C<tls> says whether the example itself
speaks TLS; C<edit> may change what else has to be changed in its text, where C<%%UPSTREAM%%> is the
upstream's address. C<several_upstreams> allows the
address more than once. With C<upstream_port>, the upstream is somebody else's.

=cut
