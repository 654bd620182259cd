"""Synonyms: what people call the columns and tables of a contract, in English and Chinese.

Words are compared without case, blanks and signs; of several that a file has, the first is taken.
"""

COLUMNS: dict[str, str] = {
    "sku": (
        "item itemid itemno itemcode itemnumber product productid productcode productno article "
        "material materialno partnumber partno upc ean barcode 商品编码 商品编号 商品代码 商品 "
        "货号 物料编码 物料编号 物料 产品编码 产品编号 条码 SKU编码"
    ),
    "location": (
        "store storeid storecode shop shopid branch warehouse warehouseid site plant depot outlet "
        "门店 门店编码 门店编号 店铺 仓库 仓库编码 库位 地点 网点 工厂"
    ),
    "date": (
        "day dt salesdate saledate transactiondate week month period ds 日期 销售日期 业务日期 "
        "交易日期 时间 周 月份"
    ),
    "quantity": (
        "qty sales salesqty salesquantity soldqty units unitssold amount saleamount value volume "
        "demand 销量 销售数量 销售量 数量 需求量 出库数量 订购数量 采购数量 订单数量"
    ),
    "in_stock": "instock available availability 有货 在架率 是否有货",
    "price": "salesprice sellprice sellingprice unitprice 单价 售价 销售价 价格",
    "promotion": "promo onpromotion promoflag discountrate 促销 促销标志 是否促销 折扣力度 活动",
    "name": "itemname productname description storename 名称 商品名称 品名 产品名称 物料名称 门店名称",
    "category": "productgroup group class department 类别 品类 大类 分类 商品分类",
    "subcategory": "subclass subgroup 小类 子类 中类",
    "brand": "make 品牌",
    "unit_cost": "cost costprice purchaseprice standardcost 成本 成本价 采购价 进价",
    "unit_price": "price retailprice listprice 零售价 标价 单价 售价",
    "shelf_life_days": "shelflife 保质期 保质期天数",
    "known_from": "announced announcedon announcementdate 公布日期 公告日期 发布日期 已知日期",
    "launched_on": "launchdate launched introduced 上市日期 上架日期",
    "country": "国家",
    "region": "state city area province 区域 大区 省份 城市",
    "capacity": "容量 仓容",
    "as_of": "asof snapshotdate stockdate countdate date day 盘点日期 库存日期 快照日期 日期",
    "on_hand": (
        "onhand onhandqty stock stockqty inventory inventoryqty balance qty quantity soh 库存 "
        "库存数量 库存量 现存量 在库数量 可用库存 期末库存"
    ),
    "reserved": "allocated committed 预留 占用库存 锁定库存",
    "lot": "batch lotno batchno 批号 批次",
    "expires_on": "expiry expirydate expirationdate bestbefore 有效期 到期日 失效日期",
    "order_id": (
        "order orderno ordernumber po pono ponumber purchaseorder 订单号 采购单号 单号 订单编号 采购订单号"
    ),
    "line": "lineno orderline 行号",
    "supplier": "supplierid supplierno vendor vendorid vendorno 供应商 供应商编码 供应商名称 厂商",
    "ordered_on": "orderdate ordered podate orderedon 下单日期 订单日期 采购日期 订货日期",
    "promised_on": (
        "promiseddate duedate expecteddate eta scheduleddate 承诺日期 预计到货日期 约定交期 交期 计划到货日期"
    ),
    "received_on": "receiptdate receiveddate deliverydate delivered arrivaldate 到货日期 收货日期 入库日期",
    "received_quantity": "receivedqty deliveredqty 到货数量 收货数量 入库数量",
    "moq": "minimumorderquantity minorderqty 起订量 最小起订量",
    "lot_size": "lotsize packsize casesize multiple 批量 包装数 箱规",
    "lead_time_days": "leadtime leadtimedays 提前期 采购周期 交货周期 供货周期",
    "order_cost": "orderingcost 订货成本",
    "review_periods": "reviewperiod 补货周期 订货周期",
    "parent": "assembly product finishedgood 父件 成品 母件",
    "component": "child part material 子件 组件 原料",
    "quantity_per": "qtyper quantity qty usage 用量 单位用量",
    "event": "holiday eventname 事件 节日",
    "start": "startdate from begin 开始日期 起始日期",
    "end": "enddate to until 结束日期 截止日期",
    "valid_from": "validfrom effectivefrom 生效日期 生效日",
    "valid_until": "validuntil validto effectiveto 失效日 有效期至",
}

TABLES_BY_FILE: dict[str, str] = {
    "items": "item product article sku material 商品 物料 产品",
    "locations": "location store shop warehouse site 门店 仓库",
    "demand": "demand sales sale pos transaction 销售 销量 需求",
    "plans": "plan promo promotion calendar event 计划 促销 活动",
    "stock": "stock inventory onhand balance 库存 盘点",
    "lots": "lot batch expiry 批次 效期",
    "supply_orders": "order purchase po deliver receipt shipment transit 采购 订单 到货 入库",
    "sourcing": "sourcing supplier vendor leadtime 供应商 货源",
    "bill_of_materials": "bom bill recipe 物料清单 配方",
    "policies": "policy policies target 策略",
    "feedback": "feedback verdict 反馈",
}
