//! A source's part in a task, as typed.
use super::stages::{RawDump, RawLoad, RawSync};
use crate::config::raw::View;
/// An entry of `mysql-instances`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawInstance {
    /// `source-id`.
    pub source_id: String,
    /// `meta`.
    pub meta: Option<RawMeta>,
    /// `filter-rules`.
    pub filter_rules: Vec<String>,
    /// `route-rules`.
    pub route_rules: Vec<String>,
    /// `expression-filters`.
    pub expression_filters: Vec<String>,
    /// `column-mapping-rules`.
    pub column_mapping_rules: Vec<String>,
    /// `block-allow-list`.
    pub block_allow_list: String,
    /// `black-white-list`.
    pub black_white_list: String,
    /// `mydumper-config-name`.
    pub mydumper_config_name: String,
    /// `mydumper`.
    pub mydumper: Option<RawDump>,
    /// `mydumper-thread`.
    pub mydumper_thread: u64,
    /// `loader-config-name`.
    pub loader_config_name: String,
    /// `loader`.
    pub loader: Option<RawLoad>,
    /// `loader-thread`.
    pub loader_thread: u64,
    /// `syncer-config-name`.
    pub syncer_config_name: String,
    /// `syncer`.
    pub syncer: Option<RawSync>,
    /// `syncer-thread`.
    pub syncer_thread: u64,
    /// `validator-config-name`.
    pub validator_config_name: String,
}

/// `meta`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawMeta {
    /// `binlog-name`.
    pub binlog_name: String,
    /// `binlog-pos`.
    pub binlog_pos: u64,
    /// `binlog-gtid`.
    pub binlog_gtid: String,
}

impl RawInstance {
    pub(super) fn read(v: View<'_>) -> Self {
        let text = |key| v.get(key).text().unwrap_or_default();
        Self {
            source_id: text("source-id"),
            meta: v.get("meta").one(|v| RawMeta {
                binlog_name: v.get("binlog-name").text().unwrap_or_default(),
                binlog_pos: v.get("binlog-pos").uint().unwrap_or(0),
                binlog_gtid: v.get("binlog-gtid").text().unwrap_or_default(),
            }),
            filter_rules: v.get("filter-rules").texts(),
            route_rules: v.get("route-rules").texts(),
            expression_filters: v.get("expression-filters").texts(),
            column_mapping_rules: v.get("column-mapping-rules").texts(),
            block_allow_list: text("block-allow-list"),
            black_white_list: text("black-white-list"),
            mydumper_config_name: text("mydumper-config-name"),
            mydumper: v.get("mydumper").one(RawDump::read),
            mydumper_thread: v.get("mydumper-thread").uint().unwrap_or(0),
            loader_config_name: text("loader-config-name"),
            loader: v.get("loader").one(RawLoad::read),
            loader_thread: v.get("loader-thread").uint().unwrap_or(0),
            syncer_config_name: text("syncer-config-name"),
            syncer: v.get("syncer").one(RawSync::read),
            syncer_thread: v.get("syncer-thread").uint().unwrap_or(0),
            validator_config_name: text("validator-config-name"),
        }
    }
}
