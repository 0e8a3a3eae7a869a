package Test::Mesh::Server;

use v5.36;

use Carp qw(croak);
use Exporter qw(import);
use File::Temp qw(tempdir);
use JSON::PP ();
use POSIX qw(WNOHANG);
use Test::More ();

use Test::Mesh::Client;
use Test::Mesh::Credentials qw(dpop keys_dir project_dir tls);
use Test::Mesh::File;
use Test::Mesh::Log qw(complaints);
use Test::Mesh::Port;
use Test::Mesh::Process qw(children end_child said_by);
use Test::Mesh::Wait;

our @EXPORT = qw(config_accepted config_refused module_path nginx_path nginx_version);

my %running;

# Starts Nginx with the given content of `http`.
sub start ($class, $http, %options) {
    my $self = bless {
        http => $http, options => \%options, expected => $options{expected} // [],
        name => $options{name} // 'nginx', reading => 0,
    }, $class;
    for my $attempt (1 .. 5) {
        $self->{root} = new_root();
        $self->{port} = {};
        $self->write_config;
        $self->spawn;
        return $running{ $self->{pid} } = $self if $self->is_ready;
        # Another process may have taken a port between our look and Nginx's.
        last unless $self->error_log =~ /Address already in use/;
    }
    croak "nginx did not start:\n" . $self->error_log . slurp("$self->{root}/logs/stderr", '');
}

sub port ($self, $name = '') {
    return $self->{port}{$name} //= free_port();
}

sub root ($self) { return $self->{root} }

sub connect ($self, %options) {
    $options{port} = $self->port($options{port} // '') unless ($options{port} // '') =~ /\A\d+\z/;
    return Test::Mesh::Client->connect(%options);
}

# One request on a connection of its own.
sub request ($self, $method, $target, %options) {
    my $client = $self->connect(map { $_ => $options{$_} } grep { exists $options{$_} } qw(port tls));
    my @headers = (($options{headers} // [])->@*, 'Connection: close');
    my $response = $client->request($method, $target, %options, headers => \@headers);
    $client->close;
    return $response;
}

sub get ($self, $target, @headers) {
    return $self->request('GET', $target, headers => \@headers);
}

# A request over TLS, as the owner of a certificate (see `tls` of Test::Mesh::Credentials).
sub get_as ($self, $certificate, $target, @headers) {
    return $self->request('GET', $target, headers => \@headers, port => 'tls', tls => tls($certificate));
}

# A request by a token that is bound to a key, with a proof for it (see `dpop` there).
sub get_proven ($self, $target, %options) {
    return $self->get($target, dpop(url => "http://localhost$target", %options));
}

# What mesh_status answers at /status.
sub mesh_status ($self, @headers) {
    my $response = $self->get('/status', @headers);
    croak "the status is answered with $response->{status}" if $response->{status} != 200;
    return JSON::PP::decode_json($response->{body});
}

# Writes raw bytes and returns all that comes back.
sub raw ($self, $bytes, %options) {
    my $client = $self->connect(%options);
    my $answer = $client->send($bytes)->rest;
    $client->close;
    return $answer;
}

# Reloads, with another content of `http` where one is given, until all requests meet new workers.
sub reload ($self, $http = undef) {
    my %old = map { $_ => 1 } $self->worker_pids;
    my $from = length $self->error_log;
    $self->{http} = $http if defined $http;
    $self->write_config;
    $self->signal('HUP');
    $self->await('new workers', sub {
        croak "the reload is refused: $1" if substr($self->error_log, $from) =~ /(\[emerg\].*)/;
        my @now = $self->worker_pids;
        return @now == ($self->{options}{workers} // 1) && !grep { $old{$_} } @now;
    });
    return $self;
}

sub master_pid ($self) { return $self->{pid} }

# The workers that accept connections; those that only finish theirs, with `shutting_down`.
sub worker_pids ($self, $state = 'accepting') {
    return children($self->{pid},
        $state eq 'shutting_down' ? 'nginx: worker process is shutting down' : 'nginx: worker process');
}

sub signal ($self, $name, $pid = $self->{pid}) {
    kill $name, $pid or croak "kill $name $pid: $!";
    return $self;
}

sub error_log ($self) { return slurp("$self->{root}/logs/error.log", '') }

sub access_log ($self) { return slurp("$self->{root}/logs/access.log", '') }

# The lines of the log that match.
sub log_lines ($self, $pattern) { return grep { /$pattern/ } split /\n/, $self->error_log }

# Waits until the log has a line, and returns what the pattern captured.
sub await_log ($self, $pattern) {
    my @found;
    $self->await("$pattern in error.log", sub { @found = $self->error_log =~ $pattern });
    return @found;
}

sub await ($self, $what, $is_there) {
    wait_until($what, $is_there, sub { $self->error_log });
    return $self;
}

# Waits until that many more requests are answered, by the access log.
sub await_requests ($self, $count) {
    my $begun = () = $self->access_log =~ /\n/g;
    return $self->await('requests', sub { (() = $self->access_log =~ /\n/g) >= $begun + $count });
}

# Says which lines of the log are no fault: strings or patterns.
sub expect_log ($self, @patterns) {
    push $self->{expected}->@*, @patterns;
    return $self;
}

# Stops by QUIT, or another signal, and proves that the log holds no fault.
sub stop ($self, $signal = 'QUIT') {
    delete $running{ $self->{pid} } or return;
    my $clean = $self->quit($signal);
    Test::More::ok($clean, "$self->{name} stops");
    my @complaints = complaints($self->error_log, $self->{expected}->@*);
    Test::More::is(join("\n", @complaints), '', "$self->{name} leaves a clean error.log");
    return;
}

# Begins again as a daemon, since nothing else can be upgraded: its first parent must be gone. Its test
# ends it.
sub start_daemon ($self) {
    $self->stop;
    my $conf = "$self->{root}/nginx.conf";
    spew($conf, slurp($conf) =~ s/^daemon off/daemon on/mr);
    system(nginx_path(), $self->arguments) == 0 or croak 'nginx does not start';
    return $self;
}

# The master of the daemon, or of the one that took its place.
sub daemon_pid ($self) { return (slurp("$self->{root}/nginx.pid", '') =~ /\A(\d+)/)[0] }

# Proves that `nginx -t` refuses a content of `http` by a message that matches.
sub config_refused ($http, $pattern, $name = "refused: $pattern", %options) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($status, $output) = test_config($http, %options);
    return Test::More::fail($name) || Test::More::diag("nginx -t died: $output")
        if $status & 127 || $output =~ /panicked/;
    return Test::More::fail($name) || Test::More::diag("nginx -t accepts it: $output")
        if $status == 0;
    return Test::More::like($output, $pattern, $name);
}

# Proves that `nginx -t` accepts a content of `http`, and what it says meanwhile.
sub config_accepted ($http, $name = 'accepted', %options) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($status, $output) = test_config($http, %options);
    my $matches = $output =~ ($options{says} // qr//);
    return Test::More::ok($status == 0 && $matches, $name) || Test::More::diag($output);
}

sub nginx_path () { return $ENV{TEST_NGINX_BINARY} // '/usr/sbin/nginx' }

# The module; with cargo features, where scripts/build --features leaves it.
sub module_path ($features = undef) {
    my $path = $ENV{TEST_NGINX_LOAD_MODULES} // project_dir() . '/build/ngx_http_mesh_module.so';
    $path =~ s{([^/]+)\z}{$features/$1} if defined $features;
    -e $path or croak "$path is not built: see scripts/build";
    return $path;
}

# The version as Nginx counts it: 1.22.1 is 1022001.
sub nginx_version () {
    my ($major, $minor, $patch) = qx{@{[nginx_path()]} -v 2>&1} =~ m{nginx/(\d+)\.(\d+)\.(\d+)}
        or die "no version of nginx\n";
    return $major * 1_000_000 + $minor * 1_000 + $patch;
}

sub test_config ($http, %options) {
    my $self = bless { http => $http, options => \%options, port => {}, root => new_root() };
    $self->write_config;
    return nginx_t($self->arguments);
}

# What `nginx -t` says with these arguments: its status and its output.
sub nginx_t (@arguments) { return said_by(nginx_path(), '-t', @arguments) }

sub write_config ($self) {
    my %options = $self->{options}->%*;
    my $root = $self->{root};
    my $user = $options{user} // ($> == 0 ? 'root' : undef);
    my $text = <<"END";
@{[$options{bare} ? '' : 'load_module ' . module_path($options{features}) . ';']}
daemon off;
worker_processes @{[$options{workers} // 1]};
pid $root/nginx.pid;
error_log $root/logs/error.log @{[$options{log_level} // 'notice']};
@{[defined $user ? "user $user;" : '']}
@{[$options{main} // '']}
events {
    worker_connections 512;
}
http {
    access_log $root/logs/access.log;
    client_body_temp_path $root/client_body;
    proxy_temp_path $root/proxy;
    fastcgi_temp_path $root/fastcgi;
    uwsgi_temp_path $root/uwsgi;
    scgi_temp_path $root/scgi;
$self->{http}
}
@{[$options{after} // '']}
END
    $text =~ s{^( *)%%TLS(?::(\w+))?( http2)?%%\n}{listen_by_tls($1, $2 // 'tls', $3 // '')}gme;
    # The keys are made only for those who ask.
    $text =~ s/%%KEYS%%/keys_dir()/ge;
    $text =~ s/%%ROOT%%/$root/g;
    $text =~ s/%%PORT(?::(\w+))?%%/$self->port($1 \/\/ '')/ge;
    spew("$root/nginx.conf", $text);
    return;
}

# The lines with which a server speaks TLS; its test adds ssl_verify_client.
sub listen_by_tls ($indent, $port, $more) {
    return join '', map { "$indent$_\n" } "listen 127.0.0.1:%%PORT:$port%% ssl$more;",
        'ssl_certificate %%KEYS%%/server.pem;', 'ssl_certificate_key %%KEYS%%/server.key;',
        'ssl_client_certificate %%KEYS%%/ca.pem;';
}

sub arguments ($self) {
    my $root = $self->{root};
    return ('-p', "$root/", '-c', "$root/nginx.conf", '-e', "$root/logs/error.log");
}

sub spawn ($self) {
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        # Not into the output of the test.
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', "$self->{root}/logs/stderr";
        exec nginx_path(), $self->arguments or POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    return;
}

# Waits until the workers are there, and tells whether Nginx lives.
sub is_ready ($self) {
    my $lives = 1;
    my $is_ready = sub {
        $lives = waitpid($self->{pid}, WNOHANG) == 0;
        return !$lives || $self->worker_pids == ($self->{options}{workers} // 1);
    };
    eval { wait_until('workers', $is_ready); 1 } and return $lives;
    $self->quit('KILL');
    return 0;
}

# Tells whether Nginx went by itself; kills it and its workers if it did not.
sub quit ($self, $signal) {
    my @workers = children($self->{pid});
    return 1 if end_child($self->{pid}, $signal);
    kill 'KILL', @workers;
    return 0;
}

sub new_root () {
    my $root = tempdir('mesh-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $root;
    mkdir "$root/logs";
    return $root;
}

# A test that ends early leaves nothing running, and does not pass.
$SIG{$_} //= sub { $SIG{PIPE} = "IGNORE"; exit 1 } for qw(INT TERM);

END {
    # A child that failed to become Nginx must not stop its parent's servers.
    for my $self (grep { getppid() != $_->{pid} } values %running) {
        local $?;
        $self->quit('TERM');
        Test::More::diag("$self->{name} was not stopped by its test");
    }
    $? ||= 1 if %running;
}

1;

__END__

=head1 NAME

Test::Mesh::Server - an Nginx of a test's own, to reload, kill and look into

=head1 SYNOPSIS

    use v5.36;
    use Test::More;

    use Test::Mesh::Credentials;
    use Test::Mesh::Server;

    my $server = Test::Mesh::Server->start(<<'CONF', workers => 2);
    include %%KEYS%%/issuers.conf;
    server {
        listen 127.0.0.1:%%PORT%%;
        %%TLS%%
        ssl_verify_client optional;
        ...
    }
    CONF

    is $server->get('/', bearer())->{status}, 200, 'a token is admitted';
    is $server->request('POST', '/', body => '{}', port => 'tls', tls => tls('spiffe'))->{status}, 200,
        'and so is a certificate';

    $server->reload;
    $server->stop;

    config_refused('mesh_issuer idp { }', qr/no "issuer"/, 'an issuer needs a name');
    done_testing;

=head1 DESCRIPTION

C<start> writes the text into C<http>, with C<%%PORT%%> and C<%%PORT:name%%> (free ports of
127.0.0.1), C<%%KEYS%%> (see L<Test::Mesh::Credentials>) and C<%%ROOT%%> (its directory). A line
C<%%TLS%%> is a server's C<listen ... ssl> on the port C<tls> with its certificate and the authority
of its clients; C<%%TLS:name%%> is on another port, C<%%TLS http2%%> speaks HTTP/2 too. Options:
C<workers> (1), C<user> (root when the tests run as root), C<log_level> (notice: below that, Nginx
itself logs headers), C<main> and C<after> (text before and behind C<http>), C<features>
(C<panic-test>: the module that was built with them), C<bare> (no module at all), C<name>, and
C<expected>, the faults that are none: see C<expect_log>.

    $server->get($target, @header_lines)      a response: status, headers, body, head
    $server->get_as('spiffe', $target, @header_lines)
    $server->get_proven($target, nonce => 'N')
    $server->mesh_status                      what mesh_status answers at /status
    $server->request($method, $target, headers => [...], body => ..., port => 'tls', tls => {...})
    $server->raw($bytes)                      all that comes back
    $server->connect(port => 'tls', ...)      a Test::Mesh::Client, for keepalive and pipelines
    $server->reload($http)                    waits until only new workers accept; dies if refused
    $server->worker_pids, master_pid, signal('USR1'), signal('KILL', $pid)
    $server->error_log, access_log, log_lines(qr/.../), await_log(qr/.../), await('what', sub { ... })
    $server->await_requests(100)              of a load that goes on
    $server->expect_log(qr/exited on signal 9/)
    $server->start_daemon, daemon_pid         for an upgrade
    $server->stop                             two tests: it stops, and error.log is clean

A server that its test does not stop is stopped at the end, and fails the file.

C<config_refused> and C<config_accepted> run C<nginx -t> on the same frame. Prefer them to the
section C<must_die> of Test::Nginx, which starts Nginx for real, says nothing of a crash and leaves
a running one behind for its timeout when the configuration is accepted after all.

C<nginx_version> is a number such as 1022001. For HTTP/2, C<listen ... http2> works with all
versions (1.22 knows no C<http2 on>); the client is C<curl --http2-prior-knowledge> or h2load.

=cut
