package Test::Mesh::Response;

use v5.36;

use Exporter qw(import);

our @EXPORT = qw(arrived fields outcome verdict verdicts);

# The status, and the reason that a server shows by `add_header Reason $mesh_reason always`.
sub verdict ($response) {
    return 'closed' unless $response;
    return join ' ', $response->{status}, $response->{headers}{reason} // ();
}

# The verdicts of requests to a target, one a header line or list of lines.
sub verdicts ($server, $target, @requests) {
    return [map { verdict($server->get($target, ref $_ ? @$_ : $_)) } @requests];
}

# The values of a field in a head, in their order.
sub fields ($head, $name) { return $head =~ /^\Q$name\E: ?(.*)\r$/mig }

# The values of a field that an upstream received: its body is the head of the request.
sub arrived ($response, $name) { return fields($response->{body}, $name) }

# The verdict, and the service that the upstream was told of.
sub outcome ($response) { return join ' ', verdict($response), arrived($response, 'X-Mesh-Service') }

1;

__END__

=head1 NAME

Test::Mesh::Response - what a response says of a request

=head1 SYNOPSIS

    is verdict($server->get('/', bearer())), '200', 'it is admitted';
    is verdict($server->get('/')), '401 credential_missing', '... and this is not';
    is_deeply verdicts($server, '/limited', (bearer()) x 3), ['200', '200', '429 limited'], 'a limit';

    is outcome($server->get('/proxied', bearer())), '200 orders-api', 'the upstream knows who asks';
    is_deeply [arrived($response, 'Authorization')], [], '... and gets no credential';

=head1 DESCRIPTION

A server of whose answers a C<verdict> is asked shows its reason by C<add_header Reason $mesh_reason
always>. C<arrived> and C<outcome> are for locations in front of a L<Test::Mesh::Upstream>.

=cut
