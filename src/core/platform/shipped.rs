//! The tables that ship with the product.

use std::sync::Arc;

use super::table::Table;

/// A platform that the product knows.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// The word of `mesh_platform` and of `meshctl`.
    pub word: &'static str,
    /// The text of its table, which a test reads.
    pub text: &'static str,
}

/// Each of them.
pub const SHIPPED: [Shipped; 5] = [
    Shipped { word: "kafka_rest", text: include_str!("tables/kafka_rest.routes") },
    Shipped { word: "databricks", text: include_str!("tables/databricks.routes") },
    Shipped { word: "synapse", text: include_str!("tables/synapse.routes") },
    Shipped { word: "dbt_cloud", text: include_str!("tables/dbt_cloud.routes") },
    Shipped { word: "http", text: include_str!("tables/http.routes") },
];

/// The table of a word; `None` if the product does not know the platform.
pub fn shipped(word: &str) -> Option<Arc<Table>> {
    let known = SHIPPED.iter().find(|known| known.word == word)?;
    Table::parse(known.text).ok().map(Arc::new)
}

#[cfg(test)]
mod tests;
