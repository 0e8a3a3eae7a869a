# A server that never asks for a certificate cannot ask for its identity: nginx -t says so.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Server;

my $REFUSAL = qr/mesh_authenticate certificate needs ssl_verify_client/;
my $ISSUERS = "include %%KEYS%%/issuers.conf;\n";

sub tls_server ($inside) { return "${ISSUERS}server {\n%%TLS%%\n$inside\n}\n" }

for my $methods ('certificate', 'token certificate', 'certificate token') {
    my $directive = "mesh_authenticate $methods;";
    config_refused(tls_server($directive), $REFUSAL, "$methods without ssl_verify_client");
    config_refused(tls_server("ssl_verify_client off; $directive"), $REFUSAL, '... with it off');
    config_refused(tls_server("location / { $directive }"), $REFUSAL, '... in a location');
    config_refused(tls_server("location / { location /inner { $directive } }"), $REFUSAL, '... in an inner one');
    config_refused(tls_server("location / { if (\$arg_a) { } $directive }"), $REFUSAL, '... with an if in it');
    config_refused(tls_server("location \@named { $directive }"), $REFUSAL, '... in a named one');
    config_refused("$directive\n" . tls_server(''), $REFUSAL, '... inherited from http');
    config_refused("${ISSUERS}server { listen 127.0.0.1:%%PORT%%; location / { $directive } }", $REFUSAL,
        '... in a server without TLS');
    for my $verify ('on', 'optional', 'optional_no_ca') {
        config_accepted(tls_server("ssl_verify_client $verify; location / { $directive }"), "... but with it $verify");
        config_accepted(tls_server("location / { $directive } ssl_verify_client $verify;"), '... wherever it stands');
        config_accepted("ssl_verify_client $verify;\n" . tls_server("location / { $directive }"), '... inherited from http');
    }
}

# It is the server at hand that counts, not another one.
config_refused(
    tls_server('ssl_verify_client on;') . tls_server('server_name b; mesh_authenticate certificate;') =~ s/\Q$ISSUERS//r,
    $REFUSAL, 'another server that asks is none');
config_refused("ssl_verify_client on;\n" . tls_server('ssl_verify_client off; mesh_authenticate certificate;'),
    $REFUSAL, 'a server that takes it back is none');
config_refused(tls_server('mesh_authenticate certificate; location / { mesh_authenticate off; }'), $REFUSAL,
    'nor does one location speak for all others');

for my $methods ('token', 'any', 'off') {
    config_accepted(tls_server("mesh_authenticate $methods;"), "$methods asks for no ssl_verify_client");
}
config_accepted("${ISSUERS}mesh_authenticate token;\nserver { listen 127.0.0.1:%%PORT%%; }", 'nor without TLS');

done_testing;
