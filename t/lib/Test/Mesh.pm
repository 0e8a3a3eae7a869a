package Test::Mesh;

# Before Test::Nginx reads them.
BEGIN {
    require Test::Mesh::Server;
    chdir Test::Mesh::Server::project_dir() or die "chdir: $!\n";
    $ENV{TEST_NGINX_BINARY} = Test::Mesh::Server::nginx_path();
    $ENV{TEST_NGINX_LOAD_MODULES} = Test::Mesh::Server::module_path();
    $ENV{TEST_NGINX_RANDOMIZE} //= 1 unless $ENV{TEST_NGINX_SERVROOT};
    # Below notice, Nginx itself logs headers.
    $ENV{TEST_NGINX_LOG_LEVEL} //= 'notice';
    # As in production; and it is the master that logs how a worker ends.
    $ENV{TEST_NGINX_MASTER_PROCESS} //= 'on';
    # A loaded machine is not a failure.
    $ENV{TEST_NGINX_TIMEOUT} //= 60;
    # Keepalive connections would hold a worker up when it is told to quit.
    $ENV{TEST_NGINX_FAST_SHUTDOWN} //= 1;
}

use Test::Nginx::Socket -Base;

use feature 'signatures';

use Test::Base::Filter;
use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Log qw(complaints);
use Test::Mesh::Server;

our @EXPORT = (@Test::Mesh::Credentials::EXPORT, @Test::Mesh::Server::EXPORT, 'run_tests');

# Blocks whose error.log is not checked yet.
my @unchecked;
my $is_complete = 0;

no_shuffle();
no_long_string();
no_root_location();
add_block_preprocessor(\&prepare);
$Test::Nginx::Util::CheckShutdownErrorLog = \&check_log;

# Test::Nginx listens on all addresses unless the port says more.
my $port = server_port();
server_port_for_client($port);
$ENV{TEST_NGINX_SERVER_PORT} //= $port;
$ENV{TEST_NGINX_STREAM_PORT} //= $port + 1;
server_port("127.0.0.1:$port");

# Test::Base runs the blocks by itself unless it sees a call for a plan, be it an empty one.
Test::More->builder->plan;

{
    no warnings qw(prototype redefine);
    # In place of the one of Test::Nginx, which Test::Nginx::Socket exported to here.
    *run_tests = \&run_blocks;
    # Test::Base evaluates elsewhere, and takes an error's text for the value.
    *Test::Base::Filter::eval = \&evaluate;
}

sub evaluate ($filter, $text) {
    my @values = CORE::eval("package main; $text");
    die "the filter eval failed: $@" if $@;
    return @values;
}

sub run_blocks () {
    $ENV{TEST_NGINX_KEYS} //= keys_dir() if grep { uses_keys($_) } Test::Base::blocks();
    Test::Nginx::Util::run_tests();
    stop();
    Test::Nginx::Util::check_prev_block_shutdown_error_log();
    undef $Test::Nginx::Util::PrevBlock;
    $is_complete = 1;
    Test::More::done_testing();
}

sub uses_keys ($block) {
    return grep { ($block->$_ // '') =~ /\$TEST_NGINX_KEYS/ } qw(config http_config main_config user_files);
}

sub prepare ($block) {
    push @unchecked, $block;
    # Test::Nginx calls check_log for blocks with this section alone.
    $block->set_value('no_shutdown_error_log', []) unless defined $block->no_shutdown_error_log;
}

# Checks the whole log of a server that has stopped.
sub check_log ($block, $dry_run) {
    Test::Nginx::Socket::check_shutdown_error_log($block, $dry_run);
    my @expected;
    while (my $checked = shift @unchecked) {
        push @expected, expected($checked);
        last if $checked == $block;
    }
    my $log = $block->error_log_file // $Test::Nginx::Util::ErrLogFile;
    my @complaints = complaints(slurp($log, ''), @expected);
    Test::More::is(join("\n", @complaints), '', $block->name . ' - error.log is clean');
}

sub expected ($block) {
    my @patterns = map { ref $_ eq 'ARRAY' ? @$_ : ref $_ ? $_ : split /\n+/, $_ }
        grep { defined } $block->error_log, $block->shutdown_error_log;
    push @patterns, '[emerg]' if defined $block->must_die;
    return grep { length } @patterns;
}

# Stops the last block's server, so that its end is in the log.
sub stop () {
    return unless -f $Test::Nginx::Util::PidFile;
    my $pid = Test::Nginx::Util::get_pid_from_pidfile('stop');
    Test::Nginx::Util::kill_process($pid, 1, 'stop') if Test::Nginx::Util::is_running($pid);
}

END {
    $? ||= 1 unless $is_complete;
}

1;

__END__

=head1 NAME

Test::Mesh - Test::Nginx::Socket with the module loaded, keys at hand and a watch on error.log

=head1 SYNOPSIS

    # A token admits, and nothing else does.

    use Test::Mesh;

    run_tests();

    __DATA__

    === a token is admitted
    --- http_config
    include $TEST_NGINX_KEYS/issuers.conf;
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        location / { return 200 "$http_x_mesh_service\n"; }
    }
    --- config
        location = /t {
            mesh_authenticate token;
            mesh_accept idp;
            proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        }
    --- request
    GET /t
    --- more_headers eval: bearer(subject => 'orders-api')
    --- error_code: 200
    --- response_body
    orders-api

=head1 DESCRIPTION

A file is run as C<prove -I t/lib t/CHAPTER/NAME.t>, against Debian's Nginx and F<build/>, or what
C<TEST_NGINX_BINARY> and C<TEST_NGINX_LOAD_MODULES> name. Each file has ports and a server root
(F<t/servroot_PORT>) of its own, so that files run in parallel. There is no plan to count: a file
ends with C<run_tests>, which also says C<done_testing>. Calls such as C<is> and C<config_refused>
come before it.

All of L<Test::Nginx::Socket>, L<Test::Mesh::Credentials> (C<token>, C<bearer>, C<key_path>) and
the functions of L<Test::Mesh::Server> (C<config_refused>, C<nginx_version>) are exported.

When the server of a block has stopped, its whole error.log is checked by L<Test::Mesh::Log>, as
one test. A line that C<error_log> or C<shutdown_error_log> of the block names is no fault, unless
it holds a token.

=head2 What differs from Test::Nginx

The server listens on 127.0.0.1 alone, logs from C<notice> on and runs a master with workers, as in
production; there is no C<location />. Blocks run in their order. C<$TEST_NGINX_SERVER_PORT> is the port; C<server_port> has
the address before it. C<$TEST_NGINX_KEYS> is the directory of the keys; it is replaced in
C<config>, C<http_config>, C<main_config> and C<user_files>, and only F<issuers.conf> there is
Nginx configuration.

=head2 How to

=over

=item Headers that hold tokens

    --- more_headers eval: bearer() . "\nX-Mesh-Service: forged"

The filter C<eval> runs in C<main>, and an error ends the file.

=item Bytes as they are

    --- raw_request eval
    "GET /t HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bear\r\nConnection: close\r\n\r\n"

=item Several requests on one connection

    --- pipelined_requests eval
    ['GET /t', 'GET /t']
    --- more_headers eval
    [bearer(), '']
    --- error_code eval
    [200, 401]

=item Several workers

C<workers(2)> before C<run_tests>; the master is on already.

=item A client certificate

Test::Nginx speaks no TLS: let a second server speak it, and Nginx be its client.

    --- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1 ssl;
        server_name localhost;
        ssl_certificate $TEST_NGINX_KEYS/server.pem;
        ssl_certificate_key $TEST_NGINX_KEYS/server.key;
        ssl_client_certificate $TEST_NGINX_KEYS/ca.pem;
        ssl_verify_client optional;
        location / {
            mesh_authenticate certificate;
            ...
        }
    }
    --- config
        location / {
            proxy_pass https://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
            proxy_ssl_certificate $TEST_NGINX_KEYS/spiffe.pem;
            proxy_ssl_certificate_key $TEST_NGINX_KEYS/spiffe.key;
        }

Where the handshake itself matters (SNI, resumption, versions), use L<Test::Mesh::Server>.

=item HTTP/2

The section C<http2> writes C<http2 on>, which Nginx 1.22 does not know. Let another server
C<listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1 http2>, or use L<Test::Mesh::Server>, and run curl.

=item Reload, a killed worker, a changed file, a thousand requests

L<Test::Mesh::Server>.

=item What went upstream

C<return> answers before the access phase: protect a location that passes on.

=item A configuration that is refused

    config_refused('mesh_zone 1;', qr/zone size "1" is too small/, 'a zone has a least size');

The same in C<server>: C<config_refused('server { ... }', ...)>. See L<Test::Mesh::Server> for why
not C<must_die>.

=back

=cut
