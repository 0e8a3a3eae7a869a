package Test::Mesh::Curl;

use v5.36;

use Exporter qw(import);

use Test::Mesh::Credentials qw(tls);
use Test::Mesh::Process qw(output_of);

our @EXPORT = qw(curl curl_tls);

# Runs curl with these arguments, and returns what it prints.
sub curl (@arguments) { return output_of(qw(curl -sS --max-time 60), @arguments) }

# The arguments for TLS: the authority, and a certificate by name, as of `tls`.
sub curl_tls ($name = undef) {
    my %tls = tls($name)->%*;
    return ('--cacert', $tls{ca}, map { ("--$_", $tls{$_}) } grep { $tls{$_} } qw(cert key));
}

1;

__END__

=head1 NAME

Test::Mesh::Curl - curl, for what Test::Mesh::Client does not speak

=head1 SYNOPSIS

    my $url = 'http://127.0.0.1:' . $server->port('h2');
    is curl('--http2-prior-knowledge', qw(-o /dev/null -w %{http_code} -H), bearer(), "$url/"), 200;

    my $tls = 'https://localhost:' . $server->port('tls');
    is curl('--http2', curl_tls('spiffe'), "$tls/"), 'over HTTP/2';

=cut
