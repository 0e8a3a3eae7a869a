package Test::Mesh::ManualTable;

use v5.36;

use Carp qw(croak);
use Test::More ();

use Test::Mesh::Credentials qw(project_dir);

# The table below a heading of the chapter about failures.
sub under ($class, $heading) {
    my $manual = project_dir() . '/src/core/manual/failures.md';
    open my $in, '<:encoding(UTF-8)', $manual or croak "$manual: $!";
    my $text = do { local $/; <$in> };
    my ($section) = $text =~ /^#+ \Q$heading\E\n(.*?)(?=^#|\z)/ms or croak "no heading: $heading";
    my @lines = $section =~ /^\|\s*(.*?)\s*\|$/mg or croak "no table under: $heading";
    my ($head, $rule, @rows) = map { [split /\s*\|\s*/] } @lines;
    my $self = bless { heading => $heading, rows => {}, order => [] }, $class;
    for my $cells (@rows) {
        my %row;
        @row{@$head} = @$cells;
        push $self->{order}->@*, my $name = $cells->[0];
        croak "twice in the table: $name" if $self->{rows}{$name};
        $self->{rows}{$name} = \%row;
    }
    return $self;
}

# The names of the rows, which are their first cells.
sub names ($self) { return $self->{order}->@* }

# A cell as it stands; none for a dash.
sub cell ($self, $name, $column) {
    my $row = $self->{rows}{$name} // croak "no such row: $name";
    my $cell = $row->{$column} // croak "no such column: $column";
    return $cell eq '—' ? undef : $cell;
}

# What a cell has in the letters of code.
sub code ($self, $name, $column) {
    my ($code) = ($self->cell($name, $column) // '') =~ /`(.*?)`/;
    return $code;
}

# A subtest of the name of a row.
sub row ($self, $name, $test) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $self->{shown}{$name}++;
    return Test::More::fail("a row of the manual: $name") if !$self->{rows}{$name};
    return Test::More::subtest($name, $test);
}

# Proves that each row had its subtest.
sub is_shown ($self) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @missing = grep { !$self->{shown}{$_} } $self->names;
    return Test::More::is("@missing", '', "each row of \"$self->{heading}\" is shown");
}

1;

__END__

=head1 NAME

Test::Mesh::ManualTable - a table of the manual, each row of which is a subtest

=head1 SYNOPSIS

    my $table = Test::Mesh::ManualTable->under('When keys cannot be fetched');
    $table->row('redirect', sub { is $word, $table->code('redirect', '`last_error`') });
    $table->is_shown;

=cut
